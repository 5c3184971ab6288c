#include "cli/serve.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>

#include "alert/anomalies.h"
#include "alert/budget_alerts.h"
#include "alert/budget_watch.h"
#include "alert/cost_anomalies.h"
#include "alert/spend_board.h"
#include "alert/webhooks.h"
#include "base/byte_budget.h"
#include "base/log.h"
#include "catalog/anomaly_log.h"
#include "catalog/authority.h"
#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/ingest_keys.h"
#include "catalog/known_prices.h"
#include "catalog/known_settings.h"
#include "catalog/sign_in.h"
#include "catalog/tokens.h"
#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/serve_metrics.h"
#include "enrich/enrich.h"
#include "ingest/ingest.h"
#include "ingest/rollups.h"
#include "jobs/export_work.h"
#include "jobs/lane.h"
#include "jobs/reprice_work.h"
#include "live/hub.h"
#include "net/server.h"
#include "pricing/price_board.h"
#include "query/figures.h"
#include "query/live_data.h"
#include "receive/otlp_service.h"
#include "serve/api_service.h"
#include "serve/export_request.h"
#include "serve/live_relay.h"
#include "serve/price_routes.h"
#include "serve/rate_limit.h"
#include "serve/redis.h"
#include "store/clickhouse/clickhouse_store.h"
#include "store/clickhouse/embedded_transport.h"
#include "store/memory/memory_store.h"
#include "text/tokeniser.h"

namespace obs::cli {

namespace {

constexpr auto drain_within = std::chrono::seconds(8);
constexpr auto flush_within = std::chrono::seconds(10);
constexpr Nanos first_token_lifetime = Nanos::hours(24);

// What answers need to know of the data that is still on its way.
class LiveIngest final : public query::LiveData {
public:
    LiveIngest(const StoreWriter& writer, const OpenTraces& open) : writer_(writer), open_(open) {}

    std::uint64_t visible_seq() const override { return writer_.visible(); }
    Running running(const Scope& scope, std::optional<TraceId> trace) const override {
        auto [spans, news] = open_.running_spans().find(scope.org(), scope.projects(), trace);
        return {std::move(spans), std::move(news)};
    }

private:
    const StoreWriter& writer_;
    const OpenTraces& open_;
};

// Which rollups say what the spans say.
class CurrentRollups final : public query::RollupCurrency {
public:
    CurrentRollups(const ServeSettings& settings, const Rollups& rollups, const RollupSchedule& schedule)
        : keep_minutes_(Nanos::days(settings.keep_minute_rollups)),
          keep_others_(Nanos::days(settings.keep_rollups)),
          rollups_(rollups),
          schedule_(schedule) {}

    std::optional<std::vector<UnixNanos>> outdated(RollupLevel level, UnixNanos from,
                                                   UnixNanos to) const override {
        if (!rollups_.checked()) return std::nullopt;
        return schedule_.outdated(level, from, to);
    }
    UnixNanos kept_from(RollupLevel level, UnixNanos now) const override {
        const Nanos keep = level == RollupLevel::minute ? keep_minutes_ : keep_others_;
        return keep.count == 0 ? UnixNanos{INT64_MIN} : now - keep;
    }

private:
    const Nanos keep_minutes_, keep_others_;
    const Rollups& rollups_;
    const RollupSchedule& schedule_;
};

// What speaks up by itself, for answers about costs.
class Signals final : public query::CostSignals {
public:
    Signals(const Catalog& catalog, const AnomalyLog& anomalies) : budgets_(catalog), anomalies_(anomalies) {}

    std::vector<query::BudgetAlert> budget_alerts(const Scope& scope, UnixNanos from,
                                                  UnixNanos to) const override {
        return alert::budget_alerts(budgets_, scope, from, to);
    }
    std::vector<query::CostAnomaly> anomalies(const Scope& scope, UnixNanos from,
                                              UnixNanos to) const override {
        return alert::cost_anomalies(anomalies_, scope, from, to);
    }

private:
    const Budgets budgets_;
    const AnomalyLog& anomalies_;
};

Result<std::unique_ptr<SpanStore>> open_store(const ServeSettings& settings, const DataDirectory& directory) {
    if (settings.store == StoreKind::memory) return std::make_unique<MemoryStore>();
    const MemoryPlan plan = OBS_TRY(plan_memory(settings, machine_memory()));
    Engine::Options options;
    options.library = OBS_TRY(find_engine_library(settings, executable_path()));
    options.directory = directory.engine();
    options.memory = plan.engine;
    auto engine = OBS_TRY(Engine::open(options));
    EmbeddedOptions embedded;
    embedded.memory_per_question = plan.one_question;
    return clickhouse_store(OBS_TRY(embedded_transport(std::move(engine), embedded)));
}

OpenTraces::Options open_traces_options(const ServeSettings& settings) {
    OpenTraces::Options options;
    options.settle_after = settings.settle_after;
    options.settle_after_root = settings.settle_after_root;
    options.began = system_now();
    return options;
}

// Beyond the time in which traces settle, what is amended then is amended before its minute is rolled up.
constexpr Nanos rollup_margin = Nanos::seconds(15);

RollupSchedule::Options schedule_options(const ServeSettings& settings) {
    RollupSchedule::Options options;
    options.settle_after = settings.settle_after + rollup_margin;
    options.keep_minutes = Nanos::days(settings.keep_minute_rollups);
    options.keep_hours_and_days = Nanos::days(settings.keep_rollups);
    return options;
}

Rollups::Options rollup_options(const ServeSettings& settings) {
    Rollups::Options options;
    options.keep_minutes = Nanos::days(settings.keep_minute_rollups);
    options.keep_hours_and_days = Nanos::days(settings.keep_rollups);
    return options;
}

StoreWriter::Options writer_options(const ServeSettings& settings, const DataDirectory& directory) {
    StoreWriter::Options options;
    options.directory_id = directory.id();
    options.quarantine = directory.quarantine();
    options.keep_rows = {{TableId::spans, Nanos::days(settings.keep_rows)},
                         {TableId::logs, Nanos::days(settings.keep_logs)},
                         {TableId::metric_points, Nanos::days(settings.keep_metrics)},
                         {TableId::scores, Nanos::days(settings.keep_rows)},
                         {TableId::audit, Nanos::days(settings.keep_audit)}};
    options.keep_content = Nanos::days(settings.keep_payload);
    options.keep_quarantine = Nanos::days(settings.keep_quarantine);
    return options;
}

// Of the server as a whole; 0 days are for ever.
ProjectSettings longest_lifetimes(const ServeSettings& settings) {
    const auto days = [](std::int64_t keep) { return keep > 0 ? std::optional(keep) : std::nullopt; };
    ProjectSettings longest;
    longest.keep_payload_days = days(settings.keep_payload);
    longest.keep_rows_days = days(settings.keep_rows);
    longest.keep_logs_days = days(settings.keep_logs);
    longest.keep_metrics_days = days(settings.keep_metrics);
    return longest;
}

// Of projects that keep something for a shorter time.
std::vector<StoreWriter::Options::ProjectLifetime> lifetimes_of_projects(const KnownSettings& known) {
    std::vector<StoreWriter::Options::ProjectLifetime> lifetimes;
    for (const auto& [project, settings] : known.all()) {
        StoreWriter::Options::ProjectLifetime lifetime{.org = project.org, .project = project.id};
        const auto keep = [&](TableId table, const std::optional<std::int64_t>& days) {
            if (days) lifetime.keep_rows[table] = Nanos::days(*days);
        };
        keep(TableId::spans, settings.keep_rows_days);
        keep(TableId::scores, settings.keep_rows_days);
        keep(TableId::logs, settings.keep_logs_days);
        keep(TableId::metric_points, settings.keep_metrics_days);
        lifetime.keep_content = Nanos::days(settings.keep_payload_days.value_or(0));
        if (!lifetime.keep_rows.empty() || lifetime.keep_content.count > 0)
            lifetimes.push_back(std::move(lifetime));
    }
    return lifetimes;
}

Ingest::Options ingest_options(const ServeSettings& settings, const SpendLimits& limits) {
    Ingest::Options options;
    options.spend_limits = &limits;
    options.limits.depth = settings.attribute_depth;
    options.limits.value_bytes = settings.attribute_bytes;
    options.limits.attributes = settings.attributes_per_span;
    options.keep_spans = Nanos::days(settings.keep_rows);
    options.keep_logs = Nanos::days(settings.keep_logs);
    options.keep_metrics = Nanos::days(settings.keep_metrics);
    return options;
}

jobs::ExportWork::Options export_options(const ServeSettings& settings, const DataDirectory& directory,
                                         std::uint64_t disk_size) {
    jobs::ExportWork::Options options;
    options.directory = directory.exports();
    options.data = directory.id();
    options.room.most = settings.export_bytes;
    options.room.keep_free = std::min(options.room.keep_free, disk_size / 20);
    options.keep = Nanos::days(settings.keep_exports);
    return options;
}

// SIGINT and SIGTERM, taken by wait() and by nobody else: made before any thread.
class StopSignals {
public:
    StopSignals() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    }
    int wait() const {
        int signal = 0;
        sigwait(&signals_, &signal);
        return signal;
    }

private:
    sigset_t signals_{};
};

std::string url(const ServeSettings& settings, const Address& address, std::uint16_t port) {
    const std::string_view scheme = settings.tls_certificate.empty() ? "http" : "https";
    return fmt::format("{}://{}", scheme, Address{address.host, port}.text());
}

// The parts of the program in the order in which they need each other; they stop in reverse order.
class Program {
public:
    explicit Program(const ServeSettings& settings) : settings_(settings) {}
    // A start that failed half way: the threads stop before what they use.
    ~Program() {
        stop_alerts();
        if (lane_) lane_->stop();
        if (hub_) hub_->stop();
        if (rollups_) rollups_->stop();
        if (writer_) writer_->stop(std::chrono::steady_clock::now());
    }

    Result<void> start() {
        directory_.emplace(OBS_TRY(DataDirectory::open(settings_.data, Lock::take)));
        CatalogAddress address =
            OBS_TRY(CatalogAddress::of(settings_.catalog.reveal(), directory_->catalog_file()));
        catalog_.emplace(OBS_TRY(Catalog::open(std::move(address), Migrations::apply)));
        OBS_TRY_VOID(start_authority());
        project_settings_ = OBS_TRY(KnownSettings::load(*catalog_));
        project_settings_->keep_fresh();
        keys_ = OBS_TRY(IngestKeys::load(*catalog_));
        keys_->keep_fresh();
        prices_.emplace(OBS_TRY(PriceTable::load(
            settings_.prices.empty() ? std::nullopt
                                     : std::optional<std::filesystem::path>(settings_.prices))));
        known_prices_ = OBS_TRY(KnownPrices::load(*catalog_, *prices_));
        known_prices_->keep_fresh();
        enricher_.emplace(*prices_, tokeniser_);
        store_ = OBS_TRY(open_store(settings_, *directory_));
        OBS_TRY_VOID(store_->migrate());
        OBS_TRY_VOID(start_intake());
        OBS_TRY_VOID(start_jobs());
        return start_servers();
    }

    void announce() const {
        std::cout << "api: " << url(settings_, settings_.api, server_->port(2)) << "\n"
                  << "otlp grpc: " << Address{settings_.otlp_grpc.host, server_->port(0)}.text() << "\n"
                  << "otlp http: " << url(settings_, settings_.otlp_http, server_->port(1)) << "\n"
                  << "token: " << first_token_ << "\n";
        if (first_login_)
            std::cout << "login: " << url(settings_, settings_.api, server_->port(2))
                      << "/login?code=" << first_login_->reveal() << "\n";
        std::cout << "try: curl -H 'Authorization: Bearer <token>' '"
                  << url(settings_, settings_.api, server_->port(2))
                  << "/api/v1/traces?from=now-1h&limit=10'\n"
                  << "ready" << std::endl;
    }

    // True when everything that was acknowledged is in the store; else the journal keeps it for the next
    // start.
    bool stop() {
        stopping_ = true;
        otlp_->begin_drain();
        if (!server_->drain(drain_within)) log::warning("stopped before every request was answered");
        finish_audit();
        stop_alerts();
        lane_->stop();
        hub_->stop();
        rollups_->stop();
        const bool written = writer_->stop(std::chrono::steady_clock::now() + flush_within);
        if (!written)
            log::warning("not everything is in the store yet; the next start goes on from the journal");
        return written;
    }

private:
    Result<void> start_authority() {
        AccessTokens tokens = OBS_TRY(AccessTokens::of(*directory_, *catalog_));
        if (!settings_.jwt_keys.empty())
            tokens.trust({.keys = OBS_TRY(JwtKeys::load(settings_.jwt_keys), "--jwt-key"),
                          .issuer = settings_.jwt_issuer,
                          .audience = settings_.jwt_audience});
        authority_ = OBS_TRY(Authority::load(*catalog_, std::move(tokens)));
        authority_->keep_fresh();
        sign_in_.emplace(*catalog_, *authority_,
                         SignIn::Options{.session_lifetime = settings_.session_lifetime});
        auth_.emplace(serve::AuthParts{.catalog = *catalog_,
                                       .authority = *authority_,
                                       .sign_in = *sign_in_,
                                       .settings_changed = [this] { settings_changed(); },
                                       .longest = longest_lifetimes(settings_)});
        return {};
    }

    Result<void> start_intake() {
        const Disk disk = OBS_TRY(disk_of(directory_->path()));
        journal_ = OBS_TRY(Journal::open(
            {.directory = directory_->journal(), .disk_budget = plan_journal(settings_, disk.size)}));
        open_traces_.emplace(open_traces_options(settings_), *enricher_);
        rollup_schedule_.emplace(schedule_options(settings_));
        StoreWriter::Options writing = writer_options(settings_, *directory_);
        writing.rollups = &*rollup_schedule_;
        hub_.emplace(live::Hub::Options{});
        writing.live = &*hub_;
        writing.projects = [this] { return lifetimes_of_projects(*project_settings_); };
        writing.forgotten = [this] { clear_answers(); };
        writer_ =
            std::make_unique<StoreWriter>(std::move(writing), *store_, *journal_, *open_traces_, *enricher_);
        OBS_TRY_VOID(resends_.open(directory_->journal(), system_now()));
        OBS_TRY_VOID(open_traces_->running_spans().open(directory_->journal()));
        OBS_TRY_VOID(writer_->recover(resends_));
        writer_->start();
        rollups_.emplace(rollup_options(settings_), *store_, *rollup_schedule_,
                         [this] { return writer_->visible(); });
        ByteBudget::Options budget;
        budget.limit = settings_.byte_budget;
        budget_.emplace(budget);
        Ingest::Options taking = ingest_options(settings_, spend_);
        taking.live = &*hub_;
        ingest_.emplace(std::move(taking), *enricher_, *journal_, *writer_, resends_, *budget_);
        return {};
    }

    Result<void> start_alerts() {
        const query::RollupCurrency* rollups = current_rollups_ ? &*current_rollups_ : nullptr;
        figures_.emplace(*store_, *live_, rollups);
        alert::Webhooks::Options webhooks;
        webhooks.targets = settings_.private_webhooks ? alert::Targets::all : alert::Targets::public_only;
        webhooks_.emplace(webhooks, *catalog_);
        webhooks_->start();
        budgets_.emplace(alert::BudgetWatch::Options{.every = settings_.budget_interval,
                                                     .source = directory_->id(),
                                                     .ready = [this] { return writer_->recovered(); }},
                         *catalog_, *figures_, spend_, &*hub_, [this] { webhooks_->wake(); });
        budgets_->start();
        budget_parts_.emplace(serve::BudgetParts{*catalog_, spend_, *budgets_, webhooks.targets});
        anomaly_log_ = OBS_TRY(AnomalyLog::load(*catalog_, directory_->id()));
        anomalies_.emplace(alert::Anomalies::Options{.keep = Nanos::days(settings_.keep_rollups)}, *catalog_,
                           *anomaly_log_, *figures_, &*hub_);
        anomalies_->start();
        signals_.emplace(*catalog_, *anomaly_log_);
        return {};
    }

    void stop_alerts() {
        if (anomalies_) anomalies_->stop();
        if (budgets_) budgets_->stop();
        if (webhooks_) webhooks_->stop();
    }

    Result<void> start_jobs() {
        const Disk disk = OBS_TRY(disk_of(directory_->path()));
        jobs_.emplace(*catalog_);
        export_work_.emplace(export_options(settings_, *directory_, disk.size), *store_, *jobs_,
                             serve::export_plan_of);
        export_work_->sweep();
        reprice_work_.emplace(jobs::RepriceWork::Parts{
            .store = *store_,
            .jobs = *jobs_,
            .prices = *prices_,
            .plan = serve::reprice_asked_of,
            .change = [this](Amendments amendments) { return writer_->change(std::move(amendments)); },
            .changed = [this] { clear_answers(); }});
        lane_.emplace(jobs::Lane::Options{.data = directory_->id()}, *jobs_,
                      std::map<std::string, jobs::Work*, std::less<>>{{"export", &*export_work_},
                                                                      {"reprice", &*reprice_work_}},
                      &*hub_);
        lane_->start();
        exports_.emplace(serve::ExportParts{.jobs = *jobs_,
                                            .lane = *lane_,
                                            .work = *export_work_,
                                            .visible_seq = [this] { return writer_->visible(); },
                                            .parquet = settings_.store == StoreKind::embedded});
        price_parts_.emplace(serve::PriceParts{.catalog = *catalog_,
                                               .known = *known_prices_,
                                               .board = *prices_,
                                               .jobs = *jobs_,
                                               .lane = *lane_,
                                               .visible_seq = [this] { return writer_->visible(); }});
        return {};
    }

    Result<void> start_servers() {
        live_.emplace(*writer_, *open_traces_);
        // A store in memory keeps none.
        if (settings_.store != StoreKind::memory)
            current_rollups_.emplace(settings_, *rollups_, *rollup_schedule_);
        OBS_TRY_VOID(start_alerts());
        if (!settings_.redis.empty())
            redis_.emplace(OBS_TRY(serve::redis_address_from(settings_.redis.reveal()), "--redis"));
        OBS_TRY_VOID(start_hub());
        workers_.emplace();
        receive::OtlpService::Options otlp;
        otlp.body_limit = settings_.body_limit;
        otlp.origins = settings_.cors_origins;
        otlp.serving = [this] { return !stopping_; };
        otlp_.emplace(otlp, *ingest_, *keys_, *workers_);

        serve::ApiOptions api;
        api.cors_origins = settings_.cors_origins;
        api.live.connections = settings_.live_connections;
        api.live.connections_per_user = settings_.live_connections_per_user;
        api.rates = OBS_TRY(serve::rate_limits_from(settings_.rate_limits), "--rate-limits");
        serve::ApiParts parts{
            .store = *store_,
            .live = *live_,
            .metrics = metrics_,
            .verify = [this](std::string_view credential,
                             UnixNanos now) { return authority_->of(credential, now); },
            .not_ready = [this] { return not_ready(); },
            .redis = redis_ ? &*redis_ : nullptr,
            .data_id = directory_->id(),
            .audit = [this](AuditBatch rows,
                            std::function<void(bool)> done) { keep_audit(std::move(rows), std::move(done)); },
            .scores =
                [this](Tenant whose, ScoreBatch row, std::function<void(Result<void>)> done) {
                    ingest_->keep_rows(std::move(whose), std::move(row),
                                       [done = std::move(done)](const Result<Accepted>& kept) {
                                           if (kept) return done({});
                                           done(std::unexpected(kept.error()));
                                       });
                },
            .auth = &*auth_,
            .budgets = &*budget_parts_,
            .hub = &*hub_,
            .rollups = current_rollups_ ? &*current_rollups_ : nullptr,
            .cost_signals = &*signals_,
            .time_zone = [this](const Scope& scope) { return project_settings_->time_zone(scope); },
            .stuck_after = settings_.stuck_after,
            .exports = &*exports_,
            .anomalies = &*anomaly_log_,
            .prices_of_rule = [this](std::string_view rule) { return prices_->with_rule(rule); },
            .prices = &*price_parts_};
        add_metric_sources(metrics_, {.ingest = *ingest_,
                                      .writer = *writer_,
                                      .open = *open_traces_,
                                      .rollups = *rollups_,
                                      .rollup_schedule = *rollup_schedule_,
                                      .journal = *journal_,
                                      .receive = otlp_->metrics(),
                                      .hub = *hub_,
                                      .budget = *budget_,
                                      .store = *store_,
                                      .budgets = *budgets_,
                                      .webhooks = *webhooks_,
                                      .spend = spend_,
                                      .anomalies = *anomalies_});
        {
            const std::lock_guard lock(api_mutex_);
            api_.emplace(parts, api);
        }

        net::Server::Options server;
        server.threads = static_cast<unsigned>(settings_.io_threads);
        server.limits.header_bytes = settings_.header_limit;
        server.budget = &*budget_;
        server.workers = &*workers_;
        std::optional<net::Tls> tls;
        if (!settings_.tls_certificate.empty()) tls.emplace(settings_.tls_certificate, settings_.tls_key);
        const auto listener = [&](const Address& address, net::Service& service, std::string name) {
            return net::Listener{address.host, address.port, &service, std::move(name), tls};
        };
        std::vector<net::Listener> listeners;
        listeners.push_back(listener(settings_.otlp_grpc, *otlp_, "otlp grpc"));
        listeners.push_back(listener(settings_.otlp_http, *otlp_, "otlp http"));
        listeners.push_back(listener(settings_.api, *api_, "api"));
        server_ = OBS_TRY(net::Server::start(server, std::move(listeners)));
        first_login_ = OBS_TRY(first_login(*catalog_, system_now()));
        first_token_ = OBS_TRY(authority_->tokens().issue(
            {.role = Role::admin, .lifetime = first_token_lifetime, .subject = "start"}, system_now()));
        return {};
    }

    Result<void> start_hub() {
        if (redis_) {
            serve::LiveRelay::Options options;
            options.installation = authority_->tokens().installation();
            relay_.emplace(
                *redis_, std::move(options), [this] { return hub_->stats().listeners != 0; },
                [this](std::string_view message) { hub_->receive(message); });
            metrics_.add([this](serve::MetricsText& out) { relay_->write(out); });
            hub_->connect(*relay_);
        }
        hub_->start();
        return {};
    }

    void settings_changed() {
        if (const auto fresh = project_settings_->refresh(); !fresh)
            log::warning("settings of projects: {}", fresh.error().message);
    }

    // Answers that were kept may show what is gone now.
    void clear_answers() {
        const std::lock_guard lock(api_mutex_);
        if (api_) api_->cache().clear();
    }

    void keep_audit(AuditBatch rows, std::function<void(bool kept)> done) {
        {
            const std::lock_guard lock(audit_mutex_);
            ++audit_on_the_way_;
        }
        ingest_->keep_rows({}, std::move(rows), [this, done = std::move(done)](const Result<Accepted>& kept) {
            done(kept.has_value());
            const std::lock_guard lock(audit_mutex_);
            --audit_on_the_way_;
            audit_kept_.notify_all();
        });
    }

    // The rows of the last calls go to the writer before it stops: else the next start has them to recover.
    void finish_audit() {
        server_.reset();
        {
            const std::lock_guard lock(api_mutex_);
            api_.reset();
        }
        std::unique_lock lock(audit_mutex_);
        audit_kept_.wait_for(lock, flush_within, [this] { return audit_on_the_way_ == 0; });
    }

    std::optional<std::string> not_ready() const {
        if (stopping_) return "stopping";
        if (!writer_->recovered()) return "recovering what was acknowledged before the last stop";
        return std::nullopt;
    }

    const ServeSettings& settings_;
    std::optional<DataDirectory> directory_;
    std::optional<Catalog> catalog_;
    std::unique_ptr<Authority> authority_;
    std::optional<SignIn> sign_in_;
    std::optional<serve::AuthParts> auth_;
    std::unique_ptr<KnownSettings> project_settings_;
    std::unique_ptr<IngestKeys> keys_;
    std::optional<PriceBoard> prices_;
    std::unique_ptr<KnownPrices> known_prices_;
    Tokeniser tokeniser_;
    std::optional<Enricher> enricher_;
    std::unique_ptr<SpanStore> store_;
    Resends resends_;
    std::optional<ByteBudget> budget_;
    std::optional<OpenTraces> open_traces_;
    std::optional<RollupSchedule> rollup_schedule_;
    std::optional<live::Hub> hub_;  // other parts publish here too: it is a LiveEvents
    std::unique_ptr<StoreWriter> writer_;
    std::mutex audit_mutex_;
    std::condition_variable audit_kept_;
    std::size_t audit_on_the_way_ = 0;  // groups; under audit_mutex_
    std::unique_ptr<Journal> journal_;  // stops before the writer that its callbacks feed
    std::optional<Rollups> rollups_;
    alert::SpendBoard spend_;
    std::optional<Jobs> jobs_;
    std::optional<jobs::ExportWork> export_work_;
    std::optional<jobs::Lane> lane_;
    std::optional<jobs::RepriceWork> reprice_work_;
    std::optional<serve::ExportParts> exports_;
    std::optional<serve::PriceParts> price_parts_;
    std::optional<Ingest> ingest_;
    std::optional<LiveIngest> live_;
    std::optional<CurrentRollups> current_rollups_;
    std::optional<query::Figures> figures_;
    std::optional<alert::Webhooks> webhooks_;
    std::optional<alert::BudgetWatch> budgets_;
    std::optional<serve::BudgetParts> budget_parts_;
    std::optional<Signals> signals_;
    std::unique_ptr<AnomalyLog> anomaly_log_;
    std::optional<alert::Anomalies> anomalies_;
    serve::Metrics metrics_;
    std::optional<serve::Redis> redis_;
    std::optional<serve::LiveRelay> relay_;
    std::optional<net::Workers> workers_;
    std::optional<receive::OtlpService> otlp_;
    std::mutex api_mutex_;  // of whether there is one, for the writer's thread
    std::optional<serve::ApiService> api_;
    std::unique_ptr<net::Server> server_;
    std::string first_token_;
    std::optional<Secret> first_login_;  // valid for 15 minutes, once
    std::atomic<bool> stopping_ = false;
};

}  // namespace

int run_serve(const ServeSettings& settings) {
    // Bodies of megabytes come and go: given back to the system and faulted in again each time, they cost a
    // fifth of the CPU. jemalloc, which would do as well, cannot be in one process with the engine: that
    // frees what the C library allocated by the C library's own name.
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    const StopSignals signals;
    log::set_level(settings.log_level);
    raise_file_limit();
    Program program(settings);
    if (const auto started = program.start(); !started) {
        std::cerr << "observatory: " << started.error().message << std::endl;
        return 1;
    }
    program.announce();
    const int signal = signals.wait();
    log::info("stopping: {}", signal == SIGINT ? "interrupted" : "asked to stop");
    program.stop();
    return 0;
}

}  // namespace obs::cli
