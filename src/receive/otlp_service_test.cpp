#include "receive/otlp_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server.h"
#include "net/test_client.h"
#include "receive/grpc.h"

namespace obs::receive {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using net::Request;
using net::RequestHead;
using net::Response;
using testing::HasSubstr;

constexpr std::string_view trace_method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::string_view logs_method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

// Remembers what it was given and answers what it was told to.
class RecordingIntake final : public Intake {
public:
    void accept(IntakeRequest request, Done done) override {
        seen.push_back(std::move(request));
        if (silent)
            open.push_back(std::move(done));
        else
            done(result);
    }
    std::vector<IntakeRequest> seen;
    Result<Accepted> result = Accepted{};
    bool silent = false;
    std::vector<Done> open;
};

class KeyAuthority final : public IngestAuthority {
public:
    Result<Tenant> admit(std::string_view credential, bool from_loopback) override {
        credentials.emplace_back(credential);
        if (credential == "used-up") return fail(ErrorKind::overloaded, "the quota is used up");
        if (credential == "elsewhere") return fail(ErrorKind::forbidden, "this key may not send");
        if (credential == "known" || (from_loopback && credential.empty())) return Tenant{.project = "p"};
        return fail(ErrorKind::unauthenticated, "unknown key");
    }
    void charge(const Tenant&, std::size_t bytes) override { charged += bytes; }
    std::vector<std::string> credentials;
    std::size_t charged = 0;
};

RequestHead http(std::string_view path, std::string_view type, net::Headers headers = {}) {
    RequestHead head{.method = "POST", .path = std::string(path), .headers = std::move(headers)};
    if (!type.empty()) head.headers.add("content-type", std::string(type));
    return head;
}
RequestHead grpc(std::string_view method, net::Headers headers = {}) {
    RequestHead head = http(method, "application/grpc", std::move(headers));
    head.http2 = true;
    return head;
}
std::string framed(std::string_view message, bool compressed = false) {
    std::string out(1, compressed ? '\1' : '\0');
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(message.size() >> shift & 0xFF);
    return out + std::string(message);
}

class OtlpServiceTest : public testing::Test {
protected:
    // The whole way of one request, without a socket.
    Response ask(const RequestHead& head, std::string_view body) { return ask(service_, head, body); }
    Response ask(OtlpService& service, const RequestHead& head, std::string_view body) {
        std::variant<net::Proceed, Response> verdict = service.admit(head);
        if (Response* refused = std::get_if<Response>(&verdict)) return *refused;
        std::optional<Response> answer;
        Request request{.head = head, .body = Buffer(body), .received = body.size()};
        request.context = std::get<net::Proceed>(verdict).context;
        service.handle(std::move(request), [&](Response response) { answer = std::move(response); });
        EXPECT_TRUE(answer.has_value());
        return answer.value_or(Response{.status = 0});
    }

    RecordingIntake intake_;
    KeyAuthority authority_;
    net::Workers workers_;
    OtlpService service_{{}, intake_, authority_, workers_};
};

TEST_F(OtlpServiceTest, hands_over_what_it_received) {
    EXPECT_EQ(ask(http("/v1/logs", "application/json", {{"x-api-key", "known"}}), "{\"a\":1}").body, "{}");
    ASSERT_EQ(intake_.seen.size(), 1U);
    EXPECT_EQ(intake_.seen[0].signal, Signal::logs);
    EXPECT_EQ(intake_.seen[0].encoding, Encoding::json);
    EXPECT_EQ(intake_.seen[0].tenant.project, "p");
    EXPECT_EQ(intake_.seen[0].body.view(), "{\"a\":1}");
    EXPECT_EQ(authority_.charged, 7U);
}

TEST_F(OtlpServiceTest, hands_over_a_grpc_message_without_its_frame) {
    const Response response = ask(grpc(trace_method), framed("spans"));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, framed(""));
    EXPECT_EQ(response.trailers.get("grpc-status"), "0");
    ASSERT_EQ(intake_.seen.size(), 1U);
    EXPECT_EQ(intake_.seen[0].encoding, Encoding::protobuf);
    EXPECT_EQ(intake_.seen[0].body.view(), "spans");
}

TEST_F(OtlpServiceTest, tells_what_was_refused_within_a_request) {
    intake_.result = Accepted{2, "trace id of zeros"};
    EXPECT_THAT(ask(http("/v1/traces", "application/json"), "{}").body, HasSubstr("\"rejectedSpans\":\"2\""));
    EXPECT_THAT(ask(grpc(trace_method), framed("")).body, HasSubstr("trace id of zeros"));
    EXPECT_EQ(service_.metrics().rejected_items.load(), 4U);
}

// --- routes and types
// -------------------------------------------------------------------------------------------------

struct HeadCase {
    std::string_view what;
    RequestHead head;
    int status;
    std::string_view content_type;
    std::string_view told = "";
};
class OtlpHead : public OtlpServiceTest, public testing::WithParamInterface<HeadCase> {};

TEST_P(OtlpHead, is_answered_in_its_own_type) {
    const HeadCase& wanted = GetParam();
    const Response response = ask(wanted.head, "");
    EXPECT_EQ(response.status, wanted.status);
    EXPECT_EQ(response.headers.get("content-type"), wanted.content_type);
    EXPECT_THAT(response.body, HasSubstr(wanted.told));
    EXPECT_EQ(response.headers.get("allow"), response.status == 405 ? "POST" : "");
    EXPECT_EQ(response.headers.get("www-authenticate"), response.status == 401 ? "Bearer" : "");
}

RequestHead with_method(std::string_view method, RequestHead head) {
    head.method = method;
    return head;
}

constexpr std::string_view pb = "application/x-protobuf", js = "application/json";
INSTANTIATE_TEST_SUITE_P(
    Heads, OtlpHead,
    testing::Values(
        HeadCase{"protobuf", http("/v1/traces", pb), 200, pb},
        HeadCase{"json", http("/v1/metrics", js), 200, js, "{}"},
        HeadCase{"json_with_parameters", http("/v1/logs", "Application/JSON; charset=utf-8"), 200, js, "{}"},
        HeadCase{"a_prefix_and_slashes", http("/otlp//v1/traces/", pb), 200, pb},
        HeadCase{"the_root", http("/", pb), 404, pb, "add the path"},
        HeadCase{"the_path_twice", http("/v1/traces/v1/traces", js), 404, js, "adds it again"},
        HeadCase{"profiles", http("/v1development/profiles", pb), 404, pb, "not supported"},
        HeadCase{"get", with_method("GET", http("/v1/traces", "")), 405, js, "POST"},
        HeadCase{"put_protobuf", with_method("PUT", http("/v1/traces", pb)), 405, pb, "POST"},
        HeadCase{"options_without_origins", with_method("OPTIONS", http("/v1/traces", "")), 405, js},
        HeadCase{"no_type", http("/v1/traces", ""), 415, js, "(none)"},
        HeadCase{"html", http("/v1/traces", "text/html"), 415, js, "text/html"},
        HeadCase{"grpc_over_http1", http(trace_method, "application/grpc"), 404, js},
        HeadCase{"grpc_type_over_http1", http("/v1/traces", "application/grpc"), 415, js, "HTTP/2"},
        HeadCase{"unknown_key", http("/v1/traces", pb, {{"api-key", "nonsense"}}), 401, pb, "unknown key"},
        HeadCase{"forbidden_key", http("/v1/traces", js, {{"api-key", "elsewhere"}}), 403, js,
                 "may not send"},
        HeadCase{"quota", http("/v1/traces", js, {{"api-key", "used-up"}}), 429, js, "\"retryDelay\""},
        HeadCase{"a_browsers_page", http("/v1/traces", js, {{"origin", "https://evil.example"}}), 403, js,
                 "origin"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(OtlpServiceTest, finds_the_credential_in_every_usual_header) {
    for (const auto& [name, value] : {std::pair{"authorization", "Bearer known"},
                                      {"authorization", "bearer  known"},
                                      {"authorization", "Bearer%20known"},
                                      {"x-api-key", "known"},
                                      {"api-key", "known"}}) {
        EXPECT_EQ(ask(http("/v1/traces", js, {{name, value}}), "{}").status, 200) << name << ": " << value;
        EXPECT_EQ(authority_.credentials.back(), "known");
    }
}

TEST_F(OtlpServiceTest, needs_a_key_off_loopback) {
    RequestHead head = http("/v1/traces", js);
    head.listener_on_loopback = false;
    EXPECT_EQ(ask(head, "{}").status, 401);
}

// --- errors
// -----------------------------------------------------------------------------------------------------------

struct ErrorCase {
    std::string_view what;
    ErrorKind kind;
    int http;
    int code;
    bool retried;
};
class OtlpError : public OtlpServiceTest, public testing::WithParamInterface<ErrorCase> {};

TEST_P(OtlpError, is_told_over_http) {
    intake_.result = std::unexpected(Error{GetParam().kind, "the reason"});
    const Response response = ask(http("/v1/traces", js), "{}");
    EXPECT_EQ(response.status, GetParam().http);
    EXPECT_THAT(response.body, HasSubstr("\"code\":" + std::to_string(GetParam().code) + ","));
    EXPECT_THAT(response.body, HasSubstr("the reason"));
    const std::string_view wait = response.headers.get("retry-after");
    EXPECT_EQ(wait.size() == 1 && wait >= "1" && wait <= "5", GetParam().retried) << wait;
}

TEST_P(OtlpError, is_told_over_grpc_by_trailers_alone) {
    intake_.result = std::unexpected(Error{GetParam().kind, "the reason: 100 %"});
    const Response response = ask(grpc(trace_method), framed(""));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "");
    EXPECT_TRUE(response.trailers.empty());
    EXPECT_EQ(response.headers.get("content-type"), "application/grpc");
    EXPECT_EQ(response.headers.get("grpc-status"), std::to_string(GetParam().code));
    EXPECT_EQ(response.headers.get("grpc-message"), "the reason: 100 %25");
    EXPECT_EQ(!response.headers.get("grpc-status-details-bin").empty(), GetParam().retried);
    EXPECT_EQ(!response.headers.get("google.rpc.retryinfo-bin").empty(), GetParam().retried);
}

INSTANTIATE_TEST_SUITE_P(Errors, OtlpError,
                         testing::Values(ErrorCase{"invalid_input", ErrorKind::invalid_input, 400, 3, false},
                                         ErrorCase{"too_large", ErrorKind::too_large, 413, 8, false},
                                         ErrorCase{"overloaded", ErrorKind::overloaded, 503, 14, true},
                                         ErrorCase{"unavailable", ErrorKind::unavailable, 503, 14, true},
                                         ErrorCase{"unauthenticated", ErrorKind::unauthenticated, 401, 16,
                                                   false},
                                         ErrorCase{"forbidden", ErrorKind::forbidden, 403, 7, false},
                                         ErrorCase{"internal", ErrorKind::internal, 500, 13, false}),
                         [](const auto& test) { return std::string(test.param.what); });

TEST_F(OtlpServiceTest, hints_at_a_retry_when_the_quota_is_used_up) {
    const Response response = ask(grpc(trace_method, {{"api-key", "used-up"}}), framed(""));
    EXPECT_EQ(response.headers.get("grpc-status"), "8");
    EXPECT_FALSE(response.headers.get("google.rpc.retryinfo-bin").empty());
}

TEST_F(OtlpServiceTest, gives_no_hint_when_a_body_is_too_large) {
    const Response response = service_.refusal(grpc(trace_method), 413, "too much");
    EXPECT_EQ(response.headers.get("grpc-status"), "8");
    EXPECT_TRUE(response.headers.get("google.rpc.retryinfo-bin").empty());
    EXPECT_EQ(service_.refusal(http("/v1/traces", pb), 413, "too much").body, "\x08\x08\x12\x08too much");
}

// --- gRPC
// -------------------------------------------------------------------------------------------------------------

struct GrpcCase {
    std::string_view what;
    RequestHead head;
    std::string body;
    int code;
};
class OtlpGrpc : public OtlpServiceTest, public testing::WithParamInterface<GrpcCase> {};

TEST_P(OtlpGrpc, is_answered) {
    const GrpcCase& wanted = GetParam();
    const Response response = ask(wanted.head, wanted.body);
    const std::string code = std::to_string(wanted.code);
    EXPECT_EQ(wanted.code == 0 ? response.trailers.get("grpc-status") : response.headers.get("grpc-status"),
              code);
    EXPECT_EQ(response.headers.get("grpc-accept-encoding"), grpc_accept_encoding);
}

const std::string zstd_of_refund = "\x28\xb5\x2f\xfd\x20\x06\x31\x00\x00refund"s;
RequestHead typed(std::string_view type) {
    RequestHead head = http(trace_method, type);
    head.http2 = true;
    return head;
}

INSTANTIATE_TEST_SUITE_P(
    Calls, OtlpGrpc,
    testing::Values(
        GrpcCase{"traces", grpc(trace_method), framed(""), 0},
        GrpcCase{"logs", grpc(logs_method), framed(""), 0},
        GrpcCase{"with_a_codec", typed("application/grpc+proto"), framed(""), 0},
        GrpcCase{"json_messages", typed("application/grpc+json"), framed("{}"), 12},
        GrpcCase{"unknown_method", grpc("/opentelemetry.proto.collector.trace.v1.TraceService/Import"),
                 framed(""), 12},
        GrpcCase{"profiles",
                 grpc("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"),
                 framed(""), 12},
        GrpcCase{"health_watch", grpc("/grpc.health.v1.Health/Watch"), framed(""), 12},
        GrpcCase{"compressed", grpc(trace_method, {{"grpc-encoding", "zstd"}}), framed(zstd_of_refund, true),
                 0},
        GrpcCase{"named_but_not_compressed", grpc(trace_method, {{"grpc-encoding", "gzip"}}), framed("x"), 0},
        GrpcCase{"compressed_by_nothing", grpc(trace_method), framed("x", true), 13},
        GrpcCase{"broken_compression", grpc(trace_method, {{"grpc-encoding", "gzip"}}), framed("x", true), 3},
        GrpcCase{"unknown_compression", grpc(trace_method, {{"grpc-encoding", "snappy"}}), framed("x", true),
                 12},
        GrpcCase{"two_messages", grpc(trace_method), framed("x") + framed("y"), 12},
        GrpcCase{"cut_off", grpc(trace_method), framed("abc").substr(0, 7), 3},
        GrpcCase{"unknown_key", grpc(trace_method, {{"authorization", "Bearer nonsense"}}), framed(""), 16}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(OtlpServiceTest, decompresses_grpc_messages) {
    ask(grpc(trace_method, {{"grpc-encoding", "zstd"}}), framed(zstd_of_refund, true));
    ASSERT_EQ(intake_.seen.size(), 1U);
    EXPECT_EQ(intake_.seen[0].body.view(), "refund");
}

TEST_F(OtlpServiceTest, answers_health_checks_without_a_key) {
    bool serving = true;
    OtlpService service({.serving = [&] { return serving; }}, intake_, authority_, workers_);
    RequestHead head = grpc("/grpc.health.v1.Health/Check");
    head.listener_on_loopback = false;
    const std::string traces = "opentelemetry.proto.collector.trace.v1.TraceService";
    const std::string about_traces =
        framed("\x0a" + std::string(1, static_cast<char>(traces.size())) + traces);
    EXPECT_EQ(ask(service, head, framed("")).body, framed("\x08\x01"));
    EXPECT_EQ(ask(service, head, about_traces).body, framed("\x08\x01"));
    EXPECT_EQ(ask(service, head, framed("\x0a\x05other")).headers.get("grpc-status"), "5");
    serving = false;
    EXPECT_EQ(ask(service, head, framed("")).body, framed("\x08\x02"));
    serving = true;
    service.begin_drain();
    EXPECT_EQ(ask(service, head, about_traces).body, framed("\x08\x02"));
}

// --- browsers
// ---------------------------------------------------------------------------------------------------------

TEST_F(OtlpServiceTest, lets_configured_pages_send) {
    OtlpService service({.origins = {"https://app.example"}}, intake_, authority_, workers_);
    const net::Headers asked{{"origin", "https://app.example"},
                             {"access-control-request-headers", "content-type"}};
    const Response preflight = ask(service, with_method("OPTIONS", http("/v1/traces", "", asked)), "");
    EXPECT_EQ(preflight.status, 204);
    EXPECT_EQ(preflight.headers.get("access-control-allow-origin"), "https://app.example");
    EXPECT_EQ(preflight.headers.get("access-control-allow-headers"), "content-type");
    const Response sent = ask(service, http("/v1/traces", js, asked), "{}");
    EXPECT_EQ(sent.status, 200);
    EXPECT_EQ(sent.headers.get("access-control-allow-origin"), "https://app.example");
    const Response other = ask(service, http("/v1/traces", js, {{"origin", "https://evil.example"}}), "{}");
    EXPECT_EQ(other.status, 403);
    EXPECT_EQ(other.headers.get("access-control-allow-origin"), "");
}

// --- counters
// ---------------------------------------------------------------------------------------------------------

TEST_F(OtlpServiceTest, counts_requests_by_what_became_of_them) {
    ask(http("/v1/traces", js), "{}");
    ask(http("/v1/traces", js, {{"api-key", "nonsense"}}), "{}");
    ask(grpc(logs_method), framed(""));
    ask(http("/nothing", js), "{}");
    std::vector<std::string> counted;
    service_.metrics().each_request_count(
        [&](auto signal, auto transport, auto encoding, auto outcome, auto count) {
            counted.push_back(fmt::format("{} {} {} {} {}", signal, transport, encoding, outcome, count));
        });
    EXPECT_THAT(counted,
                testing::UnorderedElementsAre("traces http json none 1", "traces http json unauthenticated 1",
                                              "logs grpc protobuf none 1"));
    EXPECT_EQ(service_.metrics().unrouted.load(), 1U);
    EXPECT_EQ(service_.metrics().received_bytes.load(), 2U + 5U);
    EXPECT_EQ(service_.metrics().decompressed_bytes.load(), 2U);
}

// --- over the wire
// ----------------------------------------------------------------------------------------------------

class OtlpServerTest : public OtlpServiceTest {
protected:
    void SetUp() override {
        auto started = net::Server::start({.threads = 1, .budget = &budget_, .workers = &workers_},
                                          {{.host = "127.0.0.1", .service = &service_, .name = "otlp"}});
        ASSERT_TRUE(started.has_value());
        server_ = *std::move(started);
    }
    ByteBudget budget_;
    std::unique_ptr<net::Server> server_;
};

TEST_F(OtlpServerTest, answers_grpc_and_http_on_one_port) {
    net::test::Wire one(server_->port(0)), two(server_->port(0));
    const net::test::Reply reply = net::test::Http2Client(one).ask(
        "POST", trace_method, {{"content-type", "application/grpc"}, {"te", "trailers"}}, framed("x"));
    EXPECT_EQ(reply.body, framed(""));
    EXPECT_EQ(reply.trailers.at("grpc-status"), "0");
    EXPECT_EQ(net::test::Http1Client(two)
                  .ask(net::test::post("/v1/traces", "{}", "content-type: application/json\r\n"))
                  .body,
              "{}");
}

TEST_F(OtlpServerTest, tells_a_grpc_client_that_its_deadline_has_passed_and_keeps_the_data) {
    intake_.silent = true;
    net::test::Wire wire(server_->port(0));
    net::test::Http2Client client(wire);
    const net::test::Reply reply = client.ask(
        "POST", trace_method,
        {{"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-timeout", "20m"}}, framed("x"));
    EXPECT_EQ(reply.headers.at("grpc-status"), "4");
    ASSERT_EQ(intake_.seen.size(), 1U);
    for (const Intake::Done& done : intake_.open) done(Accepted{});
    intake_.silent = false;
    EXPECT_EQ(client.ask("POST", trace_method, {{"content-type", "application/grpc"}}, framed("")).body,
              framed(""));
}

}  // namespace
}  // namespace obs::receive
