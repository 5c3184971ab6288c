#include "serve/api_service.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "base/ids.h"
#include "base/log.h"
#include "serve/admin_routes.h"
#include "serve/anomaly_routes.h"
#include "serve/cost_routes.h"
#include "serve/export_routes.h"
#include "serve/facet_routes.h"
#include "serve/live_routes.h"
#include "serve/log_routes.h"
#include "serve/metric_query_routes.h"
#include "serve/openapi.h"
#include "serve/performance_routes.h"
#include "serve/running_routes.h"
#include "serve/session_routes.h"
#include "serve/span_routes.h"
#include "serve/trace_routes.h"
#include "serve/view_routes.h"

namespace obs::serve {

// What admit() found out, on its way to handle().
struct ApiService::Admitted {
    const Route* route = nullptr;  // null for paths that nobody answers
    std::vector<std::pair<std::string_view, std::string>> path{};
    std::shared_ptr<const Principal> principal{};
    std::string request_id{};
    UnixNanos now;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    std::string cache_key{};  // of a GET whose answer may be used again
    // Written once, before `rated` is set; an answer that comes too late for it may be made meanwhile.
    mutable RateVerdict rate{};
    mutable std::atomic<bool> rated = false;
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

// What is kept in the cache was computed with the old settings.
AuthParts with_cleared_cache(AuthParts auth, ResponseCache& cache) {
    auth.settings_changed = [changed = std::move(auth.settings_changed), &cache] {
        if (changed) changed();
        cache.clear();
    };
    return auth;
}

Router build_router(SpanStore& store, const ApiParts& parts, const ApiOptions& options,
                    ResponseCache& cache) {
    std::vector<Route> routes = trace_routes(store, parts.live, parts.stuck_after);
    const AnalyticsParts analytics{store, parts.live, parts.rollups, parts.cost_signals, parts.time_zone};
    for (const auto& more :
         {cost_routes, facet_routes, performance_routes, metric_query_routes, session_routes})
        for (Route& route : more(analytics)) routes.push_back(std::move(route));
    for (Route& route : system_routes(store, parts.metrics, parts.not_ready, parts.redis))
        routes.push_back(std::move(route));
    for (Route& route : log_routes(store, parts.live)) routes.push_back(std::move(route));
    for (Route& route : running_routes(store, parts.live, parts.stuck_after))
        routes.push_back(std::move(route));
    if (parts.exports != nullptr)
        for (Route& route : export_routes(*parts.exports)) routes.push_back(std::move(route));
    if (parts.hub != nullptr) {
        const auto sessions =
            std::make_shared<LiveSessions>(*parts.hub, parts.verify, parts.clock, options.live);
        parts.metrics.add([sessions](MetricsText& out) { sessions->write(out); });
        for (Route& route : live_routes(sessions)) routes.push_back(std::move(route));
    }
    if (parts.scores)
        for (Route& route : score_routes(store, parts.scores)) routes.push_back(std::move(route));
    if (parts.anomalies != nullptr)
        for (Route& route : anomaly_routes(*parts.anomalies)) routes.push_back(std::move(route));
    for (Route& route : span_routes(store, parts.live, parts.prices_of_rule))
        routes.push_back(std::move(route));
    if (parts.prices != nullptr) {
        for (Route& route : price_routes(*parts.prices)) routes.push_back(std::move(route));
        for (Route& route : reprice_routes(*parts.prices, store)) routes.push_back(std::move(route));
    }
    if (parts.auth != nullptr) {
        for (Route& route : auth_routes(*parts.auth)) routes.push_back(std::move(route));
        for (Route& route : admin_routes(with_cleared_cache(*parts.auth, cache)))
            routes.push_back(std::move(route));
        for (Route& route : view_routes(parts.auth->catalog)) routes.push_back(std::move(route));
    }
    if (parts.budgets != nullptr)
        for (Route& route : budget_routes(*parts.budgets, analytics)) routes.push_back(std::move(route));
    const auto documents = std::make_shared<Documents>();
    for (Route& route : docs_routes(documents)) routes.push_back(std::move(route));
    documents->yaml = openapi_document(routes);
    documents->page = docs_page(routes);
    return Router(std::move(routes));
}

std::unique_ptr<RateLimiter> limiter_of(Redis* redis) {
    if (redis != nullptr) return std::make_unique<RedisRateLimiter>(*redis);
    return std::make_unique<LocalRateLimiter>();
}

// Longer bodies are asked once.
constexpr std::size_t longest_cached_body = 64 << 10;

// As the query names it; an audit record needs no more than that.
std::string_view project_named(std::string_view query) {
    constexpr std::string_view name = "project_id=";
    const std::size_t at = query.starts_with(name) ? 0 : query.find("&project_id=");
    if (at == std::string_view::npos) return {};
    query.remove_prefix(at == 0 && query.starts_with(name) ? name.size() : at + name.size() + 1);
    return query.substr(0, query.find('&'));
}

std::int64_t seconds_up(Nanos time) {
    return (time.count + 999'999'999) / 1'000'000'000;
}

void add_rate_headers(const RateVerdict& verdict, UnixNanos now, net::Headers& headers) {
    headers.add("x-ratelimit-limit", std::to_string(verdict.limit));
    headers.add("x-ratelimit-remaining", std::to_string(verdict.remaining));
    headers.add("x-ratelimit-reset",
                std::to_string(seconds_up(Nanos{now.since_epoch + verdict.full_in.count})));
}

}  // namespace

ApiService::ApiService(ApiParts parts, ApiOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      store_(parts_.store),
      guard_(options_.cors_origins),
      limiter_(limiter_of(parts_.redis)),
      cache_({.bytes = options_.cache_bytes,
              .redis = parts_.redis,
              .redis_prefix = fmt::format("llmobs:answer:1:{}:", parts_.data_id)}),
      audit_(parts_.audit, {}),
      router_(build_router(store_, parts_, options_, cache_)),
      workers_(options_.threads, options_.queue) {
    parts_.metrics.add([this](MetricsText& out) { http_.write(out); });
    parts_.metrics.add([this](MetricsText& out) { store_.write_metrics(out); });
    parts_.metrics.add([this](MetricsText& out) { rates_.write(out); });
    parts_.metrics.add([this](MetricsText& out) { cache_.write(out); });
    parts_.metrics.add([this](MetricsText& out) { audit_.write(out); });
}

ApiService::~ApiService() = default;

ApiResult<std::shared_ptr<const Principal>> ApiService::recognised(const net::RequestHead& head,
                                                                   const Route& route, UnixNanos now) const {
    if (route.access == Access::open) return nullptr;
    if (route.access == Access::open_on_loopback && head.listener_on_loopback) return nullptr;
    const std::string credential = OBS_ANSWER(credential_of(head, route.credential));
    auto principal = parts_.verify(credential, now);
    if (!principal)
        return refuse(code_of_fault(principal.error().fault), "Authorization", "{}",
                      principal.error().message);
    if ((*principal)->org.empty())
        return refuse(ErrorCode::invalid_token, "Authorization", "the token names no organisation");
    return *std::move(principal);
}

std::optional<ApiError> ApiService::forbidden(const Admitted& admitted) {
    const std::string_view permission = admitted.route->permission;
    if (!admitted.principal || permission.empty() || admitted.principal->may(permission)) return std::nullopt;
    const std::string_view instead = admitted.route->or_permission;
    if (!instead.empty() && admitted.principal->may(instead)) return std::nullopt;
    return ApiError{ErrorCode::insufficient_permissions,
                    fmt::format("this takes the permission {}", permission)};
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
    auto principal = recognised(head, *admitted->route, admitted->now);
    if (!principal) return refused(principal.error(), head, *admitted);
    admitted->principal = std::move(*principal);
    // What waits for Redis does so on a worker.
    const bool at_once = !limiter_->waits();
    if (at_once)
        if (const auto refusal = limited(*admitted)) return refused(*refusal, head, *admitted);
    if (const auto refusal = forbidden(*admitted)) return refused(*refusal, head, *admitted);
    const bool may_be_known = admitted->principal && admitted->route->cache.keep.count() > 0;
    if (may_be_known && head.method == "GET") {
        admitted->cache_key = cache_key(*admitted->principal, head, "");
        if (at_once)
            if (const auto answer =
                    cache_.find(admitted->cache_key, parts_.live.visible_seq(), admitted->now))
                return again(*answer, head, *admitted, 0);
    }
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
    if (limiter_->waits())
        if (const auto refusal = limited(admitted)) return refused(*refusal, request.head, admitted);
    std::string key = admitted.cache_key;
    const CacheRule& rule = admitted.route->cache;
    if (request.head.method != "GET" && rule.keep.count() > 0 && admitted.principal &&
        request.body.size() <= longest_cached_body)
        key = cache_key(*admitted.principal, request.head, request.body.view());
    if (const auto answer = known(key, admitted))
        return again(*answer, request.head, admitted, request.received);
    // Before the rows are read: what comes meanwhile may be missing in the answer.
    const std::uint64_t version = parts_.live.visible_seq();
    ApiResult<Reply> reply = admitted.route->handler(call);
    if (!reply) return refused(reply.error(), request.head, admitted);
    net::Response response{.status = reply->status};
    response.headers = std::move(reply->headers);
    if (const auto kept = key.empty() ? nullptr : cache_.put(key, rule, *reply, version, admitted.now)) {
        if (client_has(request.head.headers, *kept))
            return again(*kept, request.head, admitted, request.received);
        add_cache_headers(*kept, kept->first_tag, response.headers);
    }
    response.session = std::move(reply->session);
    if (response.status != 101) response.headers.add("content-type", std::string(reply->content_type));
    response.body = std::move(reply->body);
    response.file = std::move(reply->file);
    return finished(std::move(response), request.head, admitted, request.received, {},
                    reply->signed_in.get());
}

std::optional<ApiError> ApiService::limited(const Admitted& admitted) {
    if (!admitted.principal) return std::nullopt;
    const Principal& principal = *admitted.principal;
    const std::int64_t rate = principal.requests_per_minute.value_or(options_.rates.of(principal.role));
    if (rate <= 0) return std::nullopt;
    std::string user = principal.org;
    (user += '/') += principal.subject;
    const auto verdict = limiter_->take(user, rate, admitted.now);
    if (!verdict) return std::nullopt;
    rates_.count(principal.role, *verdict);
    admitted.rate = *verdict;
    admitted.rated.store(true, std::memory_order_release);
    if (verdict->allowed) return std::nullopt;
    ApiError error{ErrorCode::rate_limit_exceeded,
                   fmt::format("more than {} requests a minute; try again later", rate)};
    error.headers.add("retry-after",
                      std::to_string(std::max<std::int64_t>(1, seconds_up(verdict->retry_in))));
    return error;
}

std::shared_ptr<const CachedAnswer> ApiService::known(const std::string& key, const Admitted& admitted) {
    if (key.empty()) return nullptr;
    // A GET was looked for before it came to a worker, unless the limit had to be asked first.
    if (admitted.cache_key.empty() || limiter_->waits())
        if (auto answer = cache_.find(key, parts_.live.visible_seq(), admitted.now)) return answer;
    return cache_.find_shared(key, admitted.now);
}

net::Response ApiService::again(const CachedAnswer& answer, const net::RequestHead& head,
                                const Admitted& admitted, std::size_t received) {
    const bool unchanged = client_has(head.headers, answer);
    net::Response response{.status = unchanged ? 304 : 200};
    add_cache_headers(answer, answer.tag, response.headers);
    if (!unchanged) {
        response.headers.add("content-type", answer.content_type);
        response.body = answer.body;
    }
    return finished(std::move(response), head, admitted, received);
}

net::Response ApiService::refused(const ApiError& error, const net::RequestHead& head,
                                  const Admitted& admitted) {
    return finished(response_of(error, admitted.request_id, admitted.now), head, admitted, 0,
                    info_of(error.code).code);
}

net::Response ApiService::finished(net::Response response, const net::RequestHead& head,
                                   const Admitted& admitted, std::size_t received,
                                   std::string_view error_code, const Principal* signed_in) {
    add_security_headers(head, response.headers);
    response.headers.add("x-request-id", admitted.request_id);
    if (admitted.rated.load(std::memory_order_acquire))
        add_rate_headers(admitted.rate, admitted.now, response.headers);
    guard_.add_headers(head, head.method == "OPTIONS" ? router_.methods_of(head.path) : "", response.headers);
    if (admitted.counted.exchange(true)) return response;
    const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - admitted.began;
    http_.count({.method = known_method(head.method),
                 .endpoint = admitted.route == nullptr ? "unmatched" : admitted.route->pattern,
                 .status = response.status,
                 .duration = took,
                 .request_bytes = received,
                 .response_bytes = response.length()});
    audit_.note({.head = head,
                 .route = admitted.route,
                 .principal = signed_in != nullptr ? signed_in : admitted.principal.get(),
                 .resource_id = admitted.path.empty() ? std::string_view() : admitted.path.back().second,
                 .project = project_named(head.query),
                 .request_id = admitted.request_id,
                 .at = admitted.now,
                 .took = Nanos{took.count()},
                 .status = response.status,
                 .error_code = error_code});
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
