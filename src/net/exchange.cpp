#include "net/exchange.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace obs::net {
namespace {

constexpr std::size_t first_growth = 64 << 10;

// Sends the answer to where the request came from, once; a request that nobody answers is answered for them.
class Responder {
public:
    Responder(const Wire& wire, std::uint32_t request)
        : mailbox_(wire.mailbox), recipient_(wire.recipient), request_(request) {}
    Responder(const Responder&) = delete;
    Responder& operator=(const Responder&) = delete;
    ~Responder() {
        if (!answered_) answer({.status = 500});
    }
    void answer(Response response) {
        if (answered_.exchange(true)) return;
        mailbox_->post({recipient_, request_, std::move(response)});
    }

private:
    std::shared_ptr<Mailbox> mailbox_;
    std::weak_ptr<Recipient> recipient_;
    std::uint32_t request_;
    std::atomic<bool> answered_{false};
};

int status_of(const Error& error) {
    switch (error.kind) {
        case ErrorKind::too_large: return 413;
        case ErrorKind::overloaded: return 503;
        default: return 400;
    }
}

// A complete request on its way to the service.
struct Job {
    Service& service;
    Request request;
    Coding coding;
    std::size_t body_limit;
    std::shared_ptr<Responder> responder;

    void refuse(int status, std::string_view reason) const {
        responder->answer(service.refusal(request.head, status, reason));
    }
    void hand_over() {
        try {
            service.handle(std::move(request),
                           [to = responder](Response response) { to->answer(std::move(response)); });
        } catch (const std::exception& error) {
            log::error("net: a request handler failed: {}", error.what());
            refuse(500, "internal error");
        }
    }
    Result<void> decode(std::size_t limit) {
        if (coding == Coding::identity) return {};
        ByteBudget::Token charge = request.charge.sibling();
        request.body = OBS_TRY(decompress(coding, request.body.view(), limit, charge));
        request.charge = std::move(charge);
        coding = Coding::identity;
        return {};
    }
    void run() {
        if (const Result<void> decoded = decode(body_limit); !decoded)
            return refuse(status_of(decoded.error()), decoded.error().message);
        hand_over();
    }
};

void run_on_worker(Job job, Workers& workers) {
    const auto shared = std::make_shared<Job>(std::move(job));
    std::function<void()> work = [shared] { shared->run(); };
    if (!workers.try_run(work)) shared->refuse(503, "too many big requests");
}

void dispatch(Job job, Workers& workers, std::size_t inline_body) {
    const std::size_t claimed = claimed_size(job.coding, job.request.body.view()).value_or(0);
    if (std::max(claimed, job.request.body.size()) > inline_body)
        return run_on_worker(std::move(job), workers);
    const std::size_t limit = std::min(inline_body, job.body_limit);
    const Result<void> decoded = job.decode(limit);
    if (decoded) return job.hand_over();
    // It did not say how big it is.
    if (decoded.error().kind == ErrorKind::too_large && limit < job.body_limit)
        return run_on_worker(std::move(job), workers);
    job.refuse(status_of(decoded.error()), decoded.error().message);
}

}  // namespace

Exchange::Exchange(const Wire& wire, std::uint32_t request, RequestHead head)
    : wire_(wire), number_(request), began_(wire.now), request_{.head = std::move(head)} {}

Response Exchange::refusal(int status, std::string_view reason) const {
    return wire_.around.service->refusal(request_.head, status, reason);
}

std::optional<Response> Exchange::admit(std::optional<std::uint64_t> content_length) {
    std::variant<Proceed, Response> verdict = wire_.around.service->admit(request_.head);
    if (Response* refused = std::get_if<Response>(&verdict)) return std::move(*refused);
    terms_ = std::move(std::get<Proceed>(verdict));
    const std::string_view coding = request_.head.headers.get("content-encoding");
    const std::optional<Coding> known = coding_named(coding);
    if (!known)
        return refusal(415, fmt::format("content-encoding {} is not supported; use one of {}",
                                        coding.substr(0, 64), known_codings));
    coding_ = *known;
    length_ = content_length;
    if (length_ && *length_ > terms_.body_limit)
        return refusal(413, fmt::format("{} bytes; the limit is {}", *length_, terms_.body_limit));
    request_.charge = wire_.around.budget->token(ByteBudget::Use::body);
    return std::nullopt;
}

std::optional<Response> Exchange::receive(std::string_view bytes) {
    const std::size_t wanted = request_.body.size() + bytes.size();
    if (wanted > terms_.body_limit)
        return refusal(413, fmt::format("the limit is {} bytes", terms_.body_limit));
    if (wanted > request_.body.capacity())
        if (std::optional<Response> refused = make_room(wanted)) return refused;
    request_.body.append(bytes);
    return std::nullopt;
}

// Doubles, so that bytes that were only promised cost nothing.
std::optional<Response> Exchange::make_room(std::size_t bytes) {
    const std::size_t most = std::min(length_.value_or(terms_.body_limit), terms_.body_limit);
    const std::size_t capacity =
        std::max(bytes, std::min(most, std::max(request_.body.capacity() * 2, first_growth)));
    if (!request_.charge.grow_to(capacity)) return refusal(503, "too much is being received");
    try {
        request_.body.reserve(capacity);
    } catch (const std::bad_alloc&) {
        return refusal(503, "no memory");
    }
    return std::nullopt;
}

void Exchange::finish() {
    handed_over_ = true;
    request_.received = request_.body.size();
    request_.context = terms_.context;  // and kept here: late() may look at it
    dispatch({.service = *wire_.around.service,
              .request = std::move(request_),
              .coding = coding_,
              .body_limit = terms_.body_limit,
              .responder = std::make_shared<Responder>(wire_, number_)},
             *wire_.around.workers, wire_.around.limits->inline_body);
}

std::optional<Response> Exchange::overdue() const {
    const auto age = wire_.now - began_;
    if (terms_.answer_within && age > *terms_.answer_within) return terms_.late();
    if (handed_over_) return std::nullopt;
    const Limits& limits = *wire_.around.limits;
    const auto earned = std::chrono::milliseconds(request_.body.size() * 1000 / limits.body_bytes_per_second);
    if (age > limits.body_grace + earned) return refusal(408, "the body came too slowly");
    return std::nullopt;
}

}  // namespace obs::net
