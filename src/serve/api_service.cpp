#include "serve/api_service.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "base/ids.h"
#include "base/log.h"
#include "serve/admin_routes.h"
#include "serve/openapi.h"
#include "serve/trace_routes.h"

namespace obs::serve {

// What admit() found out, on its way to handle().
struct ApiService::Admitted {
    const Route* route = nullptr;  // null for paths that nobody answers
    std::vector<std::pair<std::string_view, std::string>> path{};
    std::shared_ptr<const Principal> principal{};
    std::string request_id{};
    UnixNanos now;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    // An answer that comes after the 504 goes nowhere and is not counted again.
    mutable std::atomic<bool> counted = false;
};

namespace {

constexpr std::size_t request_id_limit = 128;

std::string new_request_id() {
    thread_local std::mt19937_64 random{std::random_device{}()};
    const std::uint64_t words[] = {random(), random()};
    return to_hex(std::as_bytes(std::span(words)));
}

// An id of the client's that is safe in headers, logs and JSON, or one of ours.
std::string request_id_of(const net::RequestHead& head) {
    std::string id(head.headers.get("x-request-id").substr(0, request_id_limit));
    std::erase_if(id, [](char c) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return !plain && std::string_view("-_.:/").find(c) == std::string_view::npos;
    });
    return id.empty() ? new_request_id() : id;
}

void add_security_headers(const net::RequestHead& head, net::Headers& headers) {
    headers.add("x-content-type-options", "nosniff");
    headers.add("x-frame-options", "DENY");
    headers.add("x-xss-protection", "0");  // the filter it switched on did harm; gone from browsers
    headers.add("referrer-policy", "strict-origin-when-cross-origin");
    headers.add("content-security-policy", "default-src 'self'");
    if (head.tls) headers.add("strict-transport-security", "max-age=31536000");
    if (headers.get("cache-control").empty()) headers.add("cache-control", "private, no-store");
}

// As a label: never what a client makes up.
std::string_view known_method(std::string_view method) {
    constexpr std::string_view known[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
    return std::ranges::find(known, method) != std::end(known) ? method : "other";
}

ErrorCode code_of_status(int status) {
    switch (status) {
        case 408: return ErrorCode::slow_request;
        case 413: return ErrorCode::body_too_large;
        case 415: return ErrorCode::unsupported_encoding;
        case 431: return ErrorCode::headers_too_large;
        case 503: return ErrorCode::service_unavailable;
        default: return ErrorCode::invalid_request;
    }
}

ErrorCode code_of_fault(TokenFault fault) {
    switch (fault) {
        case TokenFault::expired: return ErrorCode::expired_token;
        case TokenFault::key: return ErrorCode::invalid_api_key;
        default: return ErrorCode::invalid_token;
    }
}

Router build_router(SpanStore& store, const ApiParts& parts) {
    std::vector<Route> routes = trace_routes(store, parts.live);
    for (Route& route : system_routes(store, parts.unpriced, parts.metrics, parts.not_ready))
        routes.push_back(std::move(route));
    if (parts.auth != nullptr) {
        for (Route& route : auth_routes(*parts.auth)) routes.push_back(std::move(route));
        for (Route& route : admin_routes(*parts.auth)) routes.push_back(std::move(route));
    }
    const auto documents = std::make_shared<Documents>();
    for (Route& route : docs_routes(documents)) routes.push_back(std::move(route));
    documents->yaml = openapi_document(routes);
    documents->page = docs_page(routes);
    return Router(std::move(routes));
}

bool same_word(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, {}, [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
}

// The token behind `Bearer `, or the key, or why there is neither.
ApiResult<std::string_view> credential_of(const net::RequestHead& head) {
    const std::string_view header = head.headers.get("authorization");
    if (const std::string_view key = head.headers.get("x-api-key"); header.empty() && !key.empty())
        return key;
    if (header.empty())
        return refuse(ErrorCode::missing_authorization, "Authorization",
                      "send Authorization: Bearer <token>; `observatory token` makes one");
    const std::size_t space = header.find(' ');
    if (space == std::string_view::npos || !same_word(header.substr(0, space), "bearer"))
        return refuse(ErrorCode::invalid_authorization, "Authorization",
                      "the header is `Authorization: Bearer <token>`");
    return header.substr(header.find_first_not_of(' ', space) == std::string_view::npos
                             ? header.size()
                             : header.find_first_not_of(' ', space));
}

}  // namespace

ApiService::ApiService(ApiParts parts, ApiOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      store_(parts_.store),
      guard_(options_.cors_origins),
      router_(build_router(store_, parts_)),
      workers_(options_.threads, options_.queue) {
    parts_.metrics.add([this](MetricsText& out) { http_.write(out); });
    parts_.metrics.add([this](MetricsText& out) { store_.write_metrics(out); });
}

ApiService::~ApiService() = default;

ApiResult<std::shared_ptr<const Principal>> ApiService::authorized(const net::RequestHead& head,
                                                                   const Route& route, UnixNanos now) const {
    if (route.access == Access::open) return nullptr;
    if (route.access == Access::open_on_loopback && head.listener_on_loopback) return nullptr;
    const std::string_view credential = OBS_ANSWER(credential_of(head));
    auto principal = parts_.verify(credential, now);
    if (!principal)
        return refuse(code_of_fault(principal.error().fault), "Authorization", "{}",
                      principal.error().message);
    if ((*principal)->org.empty())
        return refuse(ErrorCode::invalid_token, "Authorization", "the token names no organisation");
    if (!route.permission.empty() && !(*principal)->may(route.permission))
        return refuse(ErrorCode::insufficient_permissions, "", "this takes the permission {}",
                      route.permission);
    return *std::move(principal);
}

std::variant<net::Proceed, net::Response> ApiService::admit(const net::RequestHead& head) {
    const auto admitted = std::make_shared<Admitted>();
    admitted->now = parts_.clock();
    admitted->request_id = request_id_of(head);
    if (const auto refusal = guard_.refusal(head)) return refused(*refusal, head, *admitted);
    if (head.method == "OPTIONS") return preflight(head, *admitted);
    auto match = router_.find(head.method, head.path);
    if (!match) return refused(match.error(), head, *admitted);
    admitted->route = match->route;
    admitted->path = std::move(match->path);
    auto principal = authorized(head, *admitted->route, admitted->now);
    if (!principal) return refused(principal.error(), head, *admitted);
    admitted->principal = std::move(*principal);
    net::Proceed proceed{.body_limit = options_.body_limit, .context = admitted};
    proceed.answer_within = options_.answer_within;
    proceed.late = [this, admitted, head] {
        return refused(
            {ErrorCode::request_timeout, "the answer took too long; narrow the question with from and to"},
            head, *admitted);
    };
    return proceed;
}

void ApiService::handle(net::Request request, net::Respond respond) {
    // In a pointer, because a job must be copyable.
    const auto shared = std::make_shared<net::Request>(std::move(request));
    const auto admitted = std::static_pointer_cast<const Admitted>(shared->context);
    std::function<void()> job = [this, shared, admitted, respond] { respond(answered(*shared, *admitted)); };
    if (!workers_.try_run(job)) respond(refused(busy(), shared->head, *admitted));
}

net::Response ApiService::answered(const net::Request& request, const Admitted& admitted) {
    const Call call{.request = request,
                    .path = admitted.path,
                    .principal = admitted.principal.get(),
                    .request_id = admitted.request_id,
                    .now = admitted.now,
                    .began = admitted.began,
                    .cancel = {.deadline = admitted.began + options_.answer_within}};
    // It waited too long for a worker; nobody listens any more.
    if (call.cancel.due()) return refused(busy(), request.head, admitted);
    ApiResult<Reply> reply = admitted.route->handler(call);
    if (!reply) return refused(reply.error(), request.head, admitted);
    net::Response response{.status = reply->status};
    response.headers = std::move(reply->headers);
    response.headers.add("content-type", std::string(reply->content_type));
    response.body = std::move(reply->body);
    return finished(std::move(response), request.head, admitted, request.received);
}

net::Response ApiService::refused(const ApiError& error, const net::RequestHead& head,
                                  const Admitted& admitted) {
    return finished(response_of(error, admitted.request_id, admitted.now), head, admitted, 0);
}

net::Response ApiService::finished(net::Response response, const net::RequestHead& head,
                                   const Admitted& admitted, std::size_t received) {
    add_security_headers(head, response.headers);
    response.headers.add("x-request-id", admitted.request_id);
    guard_.add_headers(head, head.method == "OPTIONS" ? router_.methods_of(head.path) : "", response.headers);
    if (admitted.counted.exchange(true)) return response;
    http_.count({.method = known_method(head.method),
                 .endpoint = admitted.route == nullptr ? "unmatched" : admitted.route->pattern,
                 .status = response.status,
                 .duration = std::chrono::steady_clock::now() - admitted.began,
                 .request_bytes = received,
                 .response_bytes = response.body.size()});
    return response;
}

net::Response ApiService::preflight(const net::RequestHead& head, const Admitted& admitted) {
    const std::string methods = router_.methods_of(head.path);
    if (methods.empty())
        return refused({ErrorCode::resource_not_found, "there is nothing at this path"}, head, admitted);
    net::Response response{.status = 204};
    response.headers.add("allow", methods);
    return finished(std::move(response), head, admitted, 0);
}

net::Response ApiService::refusal(const net::RequestHead& head, int status, std::string_view reason) {
    Admitted admitted;
    admitted.now = parts_.clock();
    admitted.request_id = request_id_of(head);
    ApiError error{code_of_status(status), std::string(reason)};
    if (status == 503) error.headers.add("retry-after", "1");
    net::Response response = response_of(error, admitted.request_id, admitted.now);
    response.status = status;
    return finished(std::move(response), head, admitted, 0);
}

}  // namespace obs::serve
