// The REST API as a service of net/: refuses early what it can, answers on workers so that no question holds
// an I/O thread up.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "catalog/anomaly_log.h"
#include "catalog/authority.h"
#include "catalog/tokens.h"
#include "live/hub.h"
#include "net/http.h"
#include "net/workers.h"
#include "query/cost_signals.h"
#include "query/figures.h"
#include "query/ledger.h"
#include "query/live_data.h"
#include "serve/audit_log.h"
#include "serve/auth_routes.h"
#include "serve/browser_guard.h"
#include "serve/budget_routes.h"
#include "serve/export_routes.h"
#include "serve/live_sessions.h"
#include "serve/measured_store.h"
#include "serve/metrics.h"
#include "serve/price_routes.h"
#include "serve/rate_limit.h"
#include "serve/response_cache.h"
#include "serve/router.h"
#include "serve/score_routes.h"
#include "serve/system_routes.h"
#include "store/span_store.h"

namespace obs::serve {

// What the API is made of; all outlive the service.
struct ApiParts {
    SpanStore& store;
    const query::LiveData& live;
    // Sources of /metrics of the rest of the program; the service adds its own.
    Metrics& metrics;
    // Authority::of, thread-safe and quick: of a token or a key.
    std::function<Authority::Recognised(std::string_view credential, UnixNanos now)> verify;
    NotReady not_ready;
    // Shared with other instances: limits hold for all of them. Null: each has its own.
    Redis* redis = nullptr;
    // Which data is behind the answers: instances of the same one may share them in Redis.
    std::string data_id{};
    // Where it is written down who asked for what; nothing: it is not.
    AuditSink audit{};
    // Where posted feedback and evaluations go; nothing: those routes are not there.
    ScoreSink scores{};
    Clock clock = system_now;
    // Users, keys and sign-ins; null: the routes are not there.
    const AuthParts* auth = nullptr;
    // Null: the routes are not there.
    const BudgetParts* budgets = nullptr;
    // Events as they happen; null: the routes are not there.
    obs::live::Hub* hub = nullptr;
    // Of figures; see AnalyticsParts.
    const query::RollupCurrency* rollups = nullptr;
    const query::CostSignals* cost_signals = nullptr;
    std::function<std::string(const Scope&)> time_zone{};
    // A trace with running spans of which nothing was heard for so long is stuck; 0: none is.
    Nanos stuck_after = Nanos::seconds(600);
    const ExportParts* exports = nullptr;  // null: the routes are not there
    // Null: the route is not there.
    const AnomalyLog* anomalies = nullptr;
    // What a rule of the price catalogue charges; thread-safe. Nothing: no cost can be explained.
    query::PricesOfRule prices_of_rule{};
    const PriceParts* prices = nullptr;  // null: the routes are not there
};

struct ApiOptions {
    unsigned threads = 4;
    std::size_t queue = 128;  // waiting requests; more are refused with 503
    std::vector<std::string> cors_origins{};
    std::size_t body_limit = 10 << 20;
    std::chrono::milliseconds answer_within{30'000};
    RateLimits rates{};
    std::size_t cache_bytes = 64 << 20;  // answers that may be used again
    LiveLimits live{};
};

class ApiService : public net::Service {
public:
    ApiService(ApiParts parts, ApiOptions options);
    // Answers what was begun.
    ~ApiService() override;

    std::variant<net::Proceed, net::Response> admit(const net::RequestHead& head) override;
    void handle(net::Request request, net::Respond respond) override;
    net::Response refusal(const net::RequestHead& head, int status, std::string_view reason) override;

    const std::vector<Route>& routes() const { return router_.routes(); }
    // To be cleared after rows were erased or priced anew, from any thread.
    ResponseCache& cache() { return cache_; }

private:
    struct Admitted;

    // Who asks, or why nobody knows; nothing on routes that do not care.
    ApiResult<std::shared_ptr<const Principal>> recognised(const net::RequestHead& head, const Route& route,
                                                           UnixNanos now) const;
    // Why the caller may not.
    static std::optional<ApiError> forbidden(const Admitted& admitted);
    // Takes one request of the caller's; the refusal when there is none left.
    std::optional<ApiError> limited(const Admitted& admitted);
    net::Response answered(const net::Request& request, const Admitted& admitted);
    // The answer there is already; null when it has to be computed.
    std::shared_ptr<const CachedAnswer> known(const std::string& key, const Admitted& admitted);
    net::Response again(const CachedAnswer& answer, const net::RequestHead& head, const Admitted& admitted,
                        std::size_t received);
    net::Response finished(net::Response response, const net::RequestHead& head, const Admitted& admitted,
                           std::size_t received, std::string_view error_code = {},
                           const Principal* signed_in = nullptr);
    net::Response refused(const ApiError& error, const net::RequestHead& head, const Admitted& admitted);
    net::Response preflight(const net::RequestHead& head, const Admitted& admitted);

    ApiParts parts_;
    ApiOptions options_;
    MeasuredStore store_;
    BrowserGuard guard_;
    HttpMetrics http_;
    std::unique_ptr<RateLimiter> limiter_;
    RateMetrics rates_;
    ResponseCache cache_;
    AuditLog audit_;
    Router router_;
    net::Workers workers_;  // last: they use everything above
};

}  // namespace obs::serve
