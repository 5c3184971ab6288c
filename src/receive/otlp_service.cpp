#include "receive/otlp_service.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "net/decompress.h"
#include "receive/grpc.h"
#include "receive/otlp_path.h"
#include "receive/status.h"

namespace obs::receive {
namespace {

using net::Headers;
using net::Proceed;
using net::Request;
using net::RequestHead;
using net::Respond;
using net::Response;

constexpr std::string_view protobuf_type = "application/x-protobuf";
constexpr std::string_view json_type = "application/json";
// SDKs give up after 10 s in all: a hint beyond 5 s makes them drop the data.
constexpr unsigned longest_wait_seconds = 5;
constexpr std::size_t frame_prefix = 5;

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// `Application/JSON; charset=utf-8` is `application/json`.
std::string media_type(const RequestHead& head) {
    const std::string_view given = head.headers.get("content-type");
    return lower_case(trimmed(given.substr(0, given.find(';'))));
}

std::optional<Encoding> encoding_of(std::string_view media) {
    if (media == protobuf_type || media == "application/protobuf") return Encoding::protobuf;
    if (media == json_type) return Encoding::json;
    return std::nullopt;
}

bool has_prefix_in_any_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && lower_case(text.substr(0, prefix.size())) == prefix;
}

std::string_view credential_of(const Headers& headers) {
    const std::string_view authorization = trimmed(headers.get("authorization"));
    // Some clients send a header from their environment as it stands there, percent-encoded.
    for (const std::string_view scheme : {"bearer ", "bearer%20"})
        if (has_prefix_in_any_case(authorization, scheme))
            return trimmed(authorization.substr(scheme.size()));
    for (const std::string_view name : {"x-api-key", "api-key"})
        if (const std::string_view key = trimmed(headers.get(name)); !key.empty()) return key;
    return {};
}

enum class Procedure { export_traces, export_logs, export_metrics, health_check, unknown };

Procedure procedure_of(std::string_view path) {
    if (path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        return Procedure::export_traces;
    if (path == "/opentelemetry.proto.collector.logs.v1.LogsService/Export") return Procedure::export_logs;
    if (path == "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
        return Procedure::export_metrics;
    if (path == "/grpc.health.v1.Health/Check") return Procedure::health_check;
    return Procedure::unknown;
}

std::optional<Signal> signal_of(Procedure procedure) {
    switch (procedure) {
        case Procedure::export_traces: return Signal::traces;
        case Procedure::export_logs: return Signal::logs;
        case Procedure::export_metrics: return Signal::metrics;
        case Procedure::health_check:
        case Procedure::unknown: break;
    }
    return std::nullopt;
}

// How a client is spoken to: known from the head alone.
struct Manner {
    Transport transport = Transport::http;
    Encoding encoding = Encoding::json;  // of answers; JSON can be read by whoever sent something else
    std::string content_type;
    std::optional<Signal> signal;
    std::string origin{};  // of a page that may send
};

// What a request carries from its admission to its end.
struct Call {
    Manner manner;
    Tenant tenant;
    Procedure procedure = Procedure::unknown;  // gRPC only
    net::Coding message_coding = net::Coding::identity;
};

struct Verdict {
    Refused refused;
    Refusal reason;
};

Verdict verdict_of(int status, std::string_view message) {
    const auto make = [&](Code code, Refusal reason, int http_status) {
        return Verdict{{http_status, code, std::string(message)}, reason};
    };
    switch (status) {
        case 400: return make(Code::invalid_argument, Refusal::invalid, 400);
        case 401: return make(Code::unauthenticated, Refusal::unauthenticated, 401);
        case 403: return make(Code::permission_denied, Refusal::forbidden, 403);
        case 404:
        case 405: return make(Code::unimplemented, Refusal::route, status);
        case 408:
        case 504: return make(Code::deadline_exceeded, Refusal::late, status);
        case 413:
        case 431: return make(Code::resource_exhausted, Refusal::too_large, status);
        case 415: return make(Code::unimplemented, Refusal::route, 415);
        case 417: return make(Code::invalid_argument, Refusal::invalid, 417);
        case 429: return make(Code::resource_exhausted, Refusal::quota, 429);
        case 503: return make(Code::unavailable, Refusal::overloaded, 503);
        default: return make(Code::internal, Refusal::internal, 500);
    }
}

Verdict verdict_of(const Error& error) {
    switch (error.kind) {
        case ErrorKind::invalid_input: return verdict_of(400, error.message);
        case ErrorKind::unauthenticated: return verdict_of(401, error.message);
        case ErrorKind::forbidden: return verdict_of(403, error.message);
        case ErrorKind::not_found: return verdict_of(404, error.message);
        case ErrorKind::too_large: return verdict_of(413, error.message);
        case ErrorKind::overloaded: return verdict_of(503, error.message);
        case ErrorKind::unavailable:
        case ErrorKind::cancelled: {
            Verdict verdict = verdict_of(503, error.message);
            verdict.reason = Refusal::unavailable;
            return verdict;
        }
        case ErrorKind::corrupt:
        case ErrorKind::internal: break;
    }
    return verdict_of(500, error.message);
}

}  // namespace

class OtlpService::Impl {
public:
    Impl(Options options, Intake& intake, IngestAuthority& authority, net::Workers& workers)
        : options_(std::move(options)), intake_(intake), authority_(authority), workers_(workers) {}

    std::variant<Proceed, Response> admit(const RequestHead& head) {
        Manner manner = manner_of(head);
        if (manner.transport == Transport::grpc) return admit_grpc(head, std::move(manner));
        return admit_http(head, std::move(manner));
    }

    void handle(Request request, Respond respond) {
        const auto call = std::static_pointer_cast<const Call>(request.context);
        metrics_.received_bytes.fetch_add(request.received, std::memory_order_relaxed);
        if (call->manner.transport == Transport::grpc)
            return handle_grpc(call, std::move(request), std::move(respond));
        accept(call, std::move(request), respond);
    }

    Response refuse(const RequestHead& head, int status, std::string_view reason) {
        return refuse(manner_of(head), verdict_of(status, reason));
    }

    void begin_drain() { draining_.store(true, std::memory_order_relaxed); }
    const ReceiveMetrics& metrics() const { return metrics_; }

private:
    // --- heads
    // ----------------------------------------------------------------------------------------------------

    Manner manner_of(const RequestHead& head) const {
        const std::string media = media_type(head);
        if (head.http2 && is_grpc(media))
            return {Transport::grpc, Encoding::protobuf, media, signal_of(procedure_of(head.path))};
        const std::optional<Encoding> encoding = encoding_of(media);
        Manner manner{Transport::http, encoding.value_or(Encoding::json),
                      encoding ? media : std::string(json_type), signal_of_path(head.path)};
        const std::string_view origin = head.headers.get("origin");
        if (!origin.empty() && origin_allowed(origin)) manner.origin = origin;
        return manner;
    }

    bool origin_allowed(std::string_view origin) const {
        return std::ranges::any_of(options_.origins,
                                   [&](const std::string& known) { return known == "*" || known == origin; });
    }

    std::variant<Proceed, Response> admit_http(const RequestHead& head, Manner manner) {
        // Browsers name the page behind every POST, even where they follow a name that was rebound to this
        // address.
        if (!head.headers.get("origin").empty() && manner.origin.empty())
            return refuse(
                manner, verdict_of(403, "pages of this origin may not send; name it in the allowed origins"));
        if (!manner.signal) return refuse(manner, verdict_of(404, advice_for_path(head.path)));
        if (head.method == "OPTIONS" && !manner.origin.empty()) return preflight(head, manner);
        if (head.method != "POST") {
            Response answer = refuse(manner, verdict_of(405, "OTLP is sent by POST"));
            answer.headers.add("allow", options_.origins.empty() ? "POST" : "POST, OPTIONS");
            return answer;
        }
        if (const std::string media = media_type(head); !encoding_of(media))
            return refuse(manner, unknown_type(media));
        auto call = std::make_shared<Call>(Call{.manner = std::move(manner), .tenant = {}});
        return proceed(head, std::move(call));
    }

    static Verdict unknown_type(std::string_view media) {
        if (is_grpc(media)) return verdict_of(415, "gRPC needs HTTP/2; this connection speaks HTTP/1.1");
        return verdict_of(
            415, fmt::format("content-type {} is neither {} nor {}",
                             media.empty() ? "(none)" : media.substr(0, 64), protobuf_type, json_type));
    }

    std::variant<Proceed, Response> admit_grpc(const RequestHead& head, Manner manner) {
        const Procedure procedure = procedure_of(head.path);
        if (head.method != "POST") return refuse(manner, verdict_of(405, "gRPC calls are POST requests"));
        if (manner.content_type != "application/grpc" && manner.content_type != "application/grpc+proto")
            return refuse(manner, verdict_of(415, "messages have to be protobuf"));
        if (procedure == Procedure::unknown)
            return refuse(manner,
                          verdict_of(404, fmt::format("there is no method {}", head.path.substr(0, 128))));
        const std::string_view named = head.headers.get("grpc-encoding");
        const std::optional<net::Coding> coding = net::coding_named(named);
        if (!coding)
            return refuse(manner,
                          verdict_of(415, fmt::format("grpc-encoding {} is not supported; use one of {}",
                                                      named.substr(0, 64), grpc_accept_encoding)));
        auto call = std::make_shared<Call>(Call{
            .manner = std::move(manner), .tenant = {}, .procedure = procedure, .message_coding = *coding});
        // Health is asked by machines that hold no key.
        if (procedure == Procedure::health_check)
            return with_deadline(head, {.body_limit = 4096, .context = call});
        std::variant<Proceed, Response> verdict = proceed(head, std::move(call));
        if (Proceed* terms = std::get_if<Proceed>(&verdict)) return with_deadline(head, std::move(*terms));
        return verdict;
    }

    // A client that gave up is told so, if it still listens. Its data goes on: sent again, it is recognised.
    Proceed with_deadline(const RequestHead& head, Proceed terms) {
        terms.answer_within = parse_timeout(head.headers.get("grpc-timeout"));
        if (!terms.answer_within) return terms;
        terms.late = [this, call = static_cast<const Call*>(terms.context.get())] {
            return refuse(call->manner, verdict_of(504, "the deadline has passed"));
        };
        return terms;
    }

    std::variant<Proceed, Response> proceed(const RequestHead& head, std::shared_ptr<Call> call) {
        Result<Tenant> tenant = authority_.admit(credential_of(head.headers), head.listener_on_loopback);
        if (!tenant) {
            // No room here means the key's own share, not ours.
            const bool quota = tenant.error().kind == ErrorKind::overloaded;
            return refuse(call->manner,
                          quota ? verdict_of(429, tenant.error().message) : verdict_of(tenant.error()));
        }
        call->tenant = *std::move(tenant);
        const std::size_t frame = call->manner.transport == Transport::grpc ? frame_prefix : 0;
        return Proceed{.body_limit = options_.body_limit + frame, .context = std::move(call)};
    }

    // --- bodies
    // ---------------------------------------------------------------------------------------------------

    void handle_grpc(const std::shared_ptr<const Call>& call, Request request, Respond respond) {
        const std::expected<GrpcMessage, Refused> message = only_message(request.body.view());
        if (!message) return respond(refuse(call->manner, {message.error(), Refusal::invalid}));
        const bool compressed = message->compressed;
        request.body.drop_front(frame_prefix);
        if (call->procedure == Procedure::health_check)
            return respond(compressed
                               ? refuse(call->manner, verdict_of(415, "health checks are not compressed"))
                               : health(*call, request.body.view()));
        if (!compressed) return accept(call, std::move(request), respond);
        if (call->message_coding == net::Coding::identity)
            return respond(
                refuse(call->manner, verdict_of(500, "the message is compressed, but by nothing named")));
        decompress_and_accept(call, std::move(request), std::move(respond));
    }

    void decompress_and_accept(const std::shared_ptr<const Call>& call, Request request, Respond respond) {
        const std::size_t inline_limit = std::min(options_.inline_body, options_.body_limit);
        const std::size_t claimed = net::claimed_size(call->message_coding, request.body.view()).value_or(0);
        if (claimed <= inline_limit) {
            const Result<void> done = decompress(*call, request, inline_limit);
            if (done) return accept(call, std::move(request), respond);
            const bool bigger =
                done.error().kind == ErrorKind::too_large && inline_limit < options_.body_limit;
            if (!bigger) return respond(refuse(call->manner, verdict_of(done.error())));
        }
        const auto held = std::make_shared<Request>(std::move(request));
        std::function<void()> job = [this, call, held, respond] {
            const Result<void> done = decompress(*call, *held, options_.body_limit);
            if (!done) return respond(refuse(call->manner, verdict_of(done.error())));
            accept(call, std::move(*held), respond);
        };
        if (!workers_.try_run(job)) respond(refuse(call->manner, verdict_of(503, "too many big requests")));
    }

    static Result<void> decompress(const Call& call, Request& request, std::size_t limit) {
        ByteBudget::Token charge = request.charge.sibling();
        request.body = OBS_TRY(net::decompress(call.message_coding, request.body.view(), limit, charge));
        request.charge = std::move(charge);
        return {};
    }

    void accept(const std::shared_ptr<const Call>& call, Request request, const Respond& respond) {
        const Manner& manner = call->manner;
        metrics_.decompressed_bytes.fetch_add(request.body.size(), std::memory_order_relaxed);
        authority_.charge(call->tenant, request.body.size());
        intake_.accept({.signal = *manner.signal,
                        .encoding = manner.encoding,
                        .tenant = call->tenant,
                        .body = std::move(request.body)},
                       [this, call, respond](Result<Accepted> result) { respond(answer(*call, result)); });
    }

    // --- answers
    // --------------------------------------------------------------------------------------------------

    Response answer(const Call& call, const Result<Accepted>& result) {
        const Manner& manner = call.manner;
        if (!result) return refuse(manner, verdict_of(result.error()));
        count(manner, Refusal::none);
        metrics_.rejected_items.fetch_add(
            static_cast<std::uint64_t>(std::max<std::int64_t>(result->rejected, 0)),
            std::memory_order_relaxed);
        std::string body = export_response(*result, manner.encoding, *manner.signal);
        if (manner.transport == Transport::grpc) return grpc_answer(body, manner.content_type);
        Response response{.headers = {{"content-type", manner.content_type}}, .body = std::move(body)};
        allow_origin(response, manner);
        return response;
    }

    Response refuse(const Manner& manner, Verdict verdict) {
        count(manner, verdict.reason);
        Refused& refused = verdict.refused;
        if (refused.http_status == 503 || refused.http_status == 429) refused.retry_seconds = next_wait();
        if (manner.transport == Transport::grpc) {
            // These two are HTTP's own refusals: a peer that sends them is no gRPC client.
            const bool not_grpc = refused.http_status == 405 || refused.http_status == 431;
            Response response = grpc_refusal(refused, manner.content_type);
            if (not_grpc) response.status = refused.http_status;
            return response;
        }
        Response response{.status = refused.http_status, .headers = {{"content-type", manner.content_type}}};
        if (refused.retry_seconds > 0)
            response.headers.add("retry-after", std::to_string(refused.retry_seconds));
        if (refused.http_status == 401) response.headers.add("www-authenticate", "Bearer");
        if (refused.http_status == 415) response.headers.add("accept-encoding", "gzip, deflate, zstd");
        allow_origin(response, manner);
        response.body =
            manner.encoding == Encoding::protobuf ? status_protobuf(refused) : status_json(refused);
        return response;
    }

    // Clients that were refused together come back apart.
    int next_wait() {
        return 1 + static_cast<int>(waits_.fetch_add(1, std::memory_order_relaxed) % longest_wait_seconds);
    }

    void count(const Manner& manner, Refusal outcome) {
        if (!manner.signal) return void(metrics_.unrouted.fetch_add(1, std::memory_order_relaxed));
        metrics_.requests(*manner.signal, manner.transport, manner.encoding, outcome)
            .fetch_add(1, std::memory_order_relaxed);
    }

    static void allow_origin(Response& response, const Manner& manner) {
        if (manner.origin.empty()) return;
        response.headers.add("access-control-allow-origin", manner.origin);
        response.headers.add("vary", "origin");
    }

    Response preflight(const RequestHead& head, const Manner& manner) const {
        Response response{.status = 204};
        allow_origin(response, manner);
        response.headers.add("access-control-allow-methods", "POST");
        const std::string_view asked = head.headers.get("access-control-request-headers");
        if (!asked.empty()) response.headers.add("access-control-allow-headers", std::string(asked));
        response.headers.add("access-control-max-age", "86400");
        return response;
    }

    // grpc.health.v1: the service's name is field 1 of the request, the status field 1 of the answer.
    Response health(const Call& call, std::string_view message) {
        std::string_view service;
        if (message.size() >= 2 && message[0] == '\x0a') service = message.substr(2);
        const bool known =
            service.empty() || (service.starts_with("opentelemetry.proto.collector.") &&
                                signal_of(procedure_of(fmt::format("/{}/Export", service))).has_value());
        if (!known)
            return grpc_refusal({.http_status = 404, .code = Code::not_found, .message = "no such service"},
                                call.manner.content_type);
        const bool serving = !draining_.load(std::memory_order_relaxed) && options_.serving();
        return grpc_answer(serving ? "\x08\x01" : "\x08\x02", call.manner.content_type);
    }

    const Options options_;
    Intake& intake_;
    IngestAuthority& authority_;
    net::Workers& workers_;
    ReceiveMetrics metrics_;
    std::atomic<unsigned> waits_{0};
    std::atomic<bool> draining_{false};
};

OtlpService::OtlpService(Options options, Intake& intake, IngestAuthority& authority, net::Workers& workers)
    : impl_(std::make_unique<Impl>(std::move(options), intake, authority, workers)) {}
OtlpService::~OtlpService() = default;

std::variant<Proceed, Response> OtlpService::admit(const RequestHead& head) {
    return impl_->admit(head);
}
void OtlpService::handle(Request request, Respond respond) {
    impl_->handle(std::move(request), std::move(respond));
}
Response OtlpService::refusal(const RequestHead& head, int status, std::string_view reason) {
    return impl_->refuse(head, status, reason);
}
void OtlpService::begin_drain() {
    impl_->begin_drain();
}
const ReceiveMetrics& OtlpService::metrics() const {
    return impl_->metrics();
}

}  // namespace obs::receive
