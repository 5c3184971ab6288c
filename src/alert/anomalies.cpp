#include "alert/anomalies.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/json_writer.h"
#include "base/log.h"

namespace obs::alert {

namespace {

using std::chrono::steady_clock;

constexpr std::string_view by_project = "project", by_model = "model", by_service = "service";
constexpr Nanos hour = Nanos::hours(1), minute = Nanos::seconds(60);
// Until the spans of an hour that has ended are there.
constexpr Nanos late = Nanos::seconds(120);
// Hours that are read again when one has ended: some of their spans came late.
constexpr std::int64_t hours_again = 3;
constexpr std::int64_t hours_at_once = 24, days_a_look = 4;
// A name that nobody saw before is looked up in the past at most so often.
constexpr Nanos look_up_every = Nanos::seconds(60);
constexpr std::size_t most_rows = 100'000;
constexpr auto answer_within = std::chrono::seconds(20);
// Of its time, the thread looks one part in so many at most.
constexpr int idle_share = 4;

UnixNanos start_of_hour(std::int64_t number) {
    return UnixNanos{number * hour.count};
}

UnixNanos minute_of(UnixNanos at) {
    return UnixNanos{at.since_epoch / minute.count * minute.count};
}

std::vector<Aggregate> aggregates() {
    return {query::count_of_calls("calls"), query::count_of_errors("errors"),
            query::sum_of("total_cost", "cost"), query::sum_of("total_tokens", "tokens"),
            query::quantile_of("duration", 0.95, "latency")};
}

CallFigures figures_in(const query::FigureTable& table, std::size_t row) {
    CallFigures figures{.calls = table.number(row, "calls").value_or(0),
                        .errors = table.number(row, "errors").value_or(0),
                        .cost = table.number(row, "cost").value_or(0) / 1e9,
                        .tokens = table.number(row, "tokens").value_or(0)};
    if (const auto nanos = table.number(row, "latency")) figures.latency = *nanos / 1e6;
    return figures;
}

std::optional<std::string_view> dimension_named(std::string_view word) {
    for (const std::string_view dimension : {by_project, by_model, by_service})
        if (dimension == word) return dimension;
    return std::nullopt;
}

std::string id_of(const Anomaly& anomaly) {
    const Fingerprint name = fingerprint(
        anomaly.project, fmt::format("{}\n{}\n{}\n{}\n{}", anomaly.org, name_of(anomaly.metric),
                                     anomaly.dimension, anomaly.value, anomaly.began.since_epoch));
    return fmt::format("{:016x}{:016x}", name.high, name.low);
}

std::size_t window_of(Nanos length) {
    const auto found = std::ranges::find(watched_windows, length);
    return found == watched_windows.end() ? 0 : static_cast<std::size_t>(found - watched_windows.begin());
}

void take_worst(Anomaly& anomaly, const Watch& watch) {
    const Judgement& worst = watch.worst();
    anomaly.severity = severity_of(worst);
    anomaly.worst = watch.worst_at();
    anomaly.window = watched_windows[watch.window()];
    anomaly.measured = worst.measured;
    anomaly.usual = worst.usual;
    anomaly.deviation = worst.deviation;
    anomaly.calls = worst.calls;
}

LiveEvent event_of(const Anomaly& anomaly, std::string_view state, UnixNanos now) {
    LiveEvent event{.type = anomaly.metric == AnomalyMetric::cost ? LiveEventType::cost_threshold
                                                                  : LiveEventType::metric_threshold,
                    .org = anomaly.org,
                    .project = anomaly.project,
                    .at = now,
                    .data = {}};
    const double spread = (anomaly.measured - anomaly.usual) / std::max(anomaly.deviation, Watch::begins_at);
    JsonWriter json(event.data);
    json.begin_object().field("metric_name", name_of(anomaly.metric));
    json.field("threshold_value", anomaly.usual + Watch::begins_at * spread);
    json.field("current_value", anomaly.measured).field("usual_value", anomaly.usual);
    json.field("period", fmt::format("{}m", anomaly.window.count / minute.count));
    json.field("org_id", anomaly.org).field("project_id", anomaly.project);
    if (anomaly.dimension == by_model) json.field("model", anomaly.value);
    json.field("dimension", anomaly.dimension).field("value", anomaly.value);
    json.field("severity", name_of(anomaly.severity)).field("state", state);
    json.field("anomaly_id", anomaly.id).field("timestamp", rfc3339(now)).end_object();
    return event;
}

}  // namespace

Anomalies::Anomalies(Options options, const Catalog& catalog, AnomalyLog& log, query::Figures figures,
                     LiveEvents* listeners)
    : options_(std::move(options)), catalog_(catalog), log_(log), figures_(figures), listeners_(listeners) {}

Anomalies::~Anomalies() {
    stop();
}

void Anomalies::start() {
    worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Anomalies::stop() {
    if (!worker_.joinable()) return;
    worker_.request_stop();
    worker_.join();
}

Anomalies::Stats Anomalies::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

void Anomalies::run(const std::stop_token& stop) {
    bool failed = false;
    while (!stop.stop_requested()) {
        const auto began = steady_clock::now();
        if (figures_.knows_rollups()) {
            const auto looked = look({.stop = stop, .deadline = began + answer_within});
            if (!looked && !failed && !stop.stop_requested())
                log::warning("alert: cannot look for anomalies, trying again: {}", looked.error().message);
            failed = !looked;
        }
        const auto took = steady_clock::now() - began;
        std::unique_lock lock(mutex_);
        stopped_.wait_for(lock, stop,
                          std::max<steady_clock::duration>(options_.look_every, idle_share * took),
                          [] { return false; });
    }
}

Result<void> Anomalies::look(const Cancel& cancel) {
    const auto began = steady_clock::now();
    const UnixNanos now = options_.clock();
    if (!std::exchange(resumed_, true)) resume(now);
    forget_old(now);
    Begins begins{};
    begins[0] = now - Nanos{watched_windows[0].count / 2};
    begins[1] = now - watched_windows[0];
    for (std::size_t at = 1; at < watched_windows.size(); ++at)
        begins[at + 1] = minute_of(now - watched_windows[at]);
    Result<void> result = log_.save();
    auto orgs = organisations();
    if (!orgs) result = std::unexpected(orgs.error());
    for (const std::string& org : orgs.value_or(std::vector<std::string>())) {
        auto looked = look_at(org, begins, now, cancel);
        if (!looked && result) result = std::move(looked);
    }
    const auto took = steady_clock::now() - began;
    const std::lock_guard lock(mutex_);
    ++stats_.looks;
    stats_.failures += result ? 0 : 1;
    stats_.busy_nanos += static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count());
    stats_.series = all_.size();
    stats_.lasting = log_.lasting().size();
    return result;
}

Result<std::vector<std::string>> Anomalies::organisations() const {
    std::vector<std::string> orgs;
    for (const Project& project : OBS_TRY(catalog_.projects()))
        if (std::ranges::find(orgs, project.org) == orgs.end()) orgs.push_back(project.org);
    return orgs;
}

template <class Take>
Result<void> Anomalies::ask(const std::string& org, std::vector<UnixNanos> edges, UnixNanos now,
                            const Cancel& cancel, Take take) const {
    FigureQuestion question(Scope(org, {}));
    question.aggregates = aggregates();
    question.group_by = {query::dimension_from("project")->field, query::dimension_from("model")->field,
                         query::dimension_from("service")->field};
    question.sets = {{.by_time = true, .groups = {0}},
                     {.by_time = true, .groups = {0, 1}},
                     {.by_time = true, .groups = {0, 2}}};
    question.limit = most_rows;
    const Window window{edges.front(), edges.back()};
    question.edges = std::move(edges);
    const query::FigureAnswer answer = OBS_TRY(figures_.answer(std::move(question), window, now, cancel));
    constexpr std::string_view dimensions[] = {by_project, by_model, by_service};
    for (std::size_t set = 0; set < answer.sets.size(); ++set) {
        const query::FigureTable table(answer.sets[set]);
        for (std::size_t row = 0; row < table.size(); ++row) {
            Key key{org, query::group_text({}, table.cell(row, 1)), dimensions[set], {}};
            key.value = set == 0 ? key.project : query::group_text({}, table.cell(row, 2));
            if (!key.value.empty()) take(std::move(key), table.bucket(row), figures_in(table, row));
        }
    }
    return {};
}

Result<void> Anomalies::look_at(const std::string& org, const Begins& begins, UnixNanos now,
                                const Cancel& cancel) {
    OBS_TRY_VOID(read_history(org, now, cancel));
    const auto first = all_.lower_bound(Key{org, {}, {}, {}});
    const auto is_of_org = [&](auto at) { return at != all_.end() && at->first.org == org; };
    for (auto at = first; is_of_org(at); ++at) at->second.recent = {};
    std::vector<UnixNanos> edges(begins.rbegin(), begins.rend());
    edges.push_back(now);
    OBS_TRY_VOID(ask(org, std::move(edges), now, cancel, [&](Key key, UnixNanos behind, CallFigures figures) {
        const auto place = std::ranges::find(begins, behind);
        const bool known = all_.contains(key);
        Series* series = place == begins.end() ? nullptr : series_of(std::move(key));
        if (series == nullptr) return;
        series->recent[static_cast<std::size_t>(place - begins.begin())] = figures;
        if (!known) organisations_[org].has_new_series = true;
    }));
    // Names that turn up for the first time may have a past that came in behind our back.
    Organisation& read = organisations_[org];
    if (read.has_new_series && now - read.new_series_read >= look_up_every) {
        OBS_TRY_VOID(read_hours(org, hour_of(now) - hours_at_once, hour_of(now), now, cancel));
        read.has_new_series = false;
        read.new_series_read = now;
    }
    for (auto at = all_.lower_bound(Key{org, {}, {}, {}}); is_of_org(at); ++at)
        judge(at->first, at->second, begins, now);
    return {};
}

Result<void> Anomalies::read_history(const std::string& org, UnixNanos now, const Cancel& cancel) {
    Organisation& read = organisations_[org];
    const std::int64_t current = hour_of(now), oldest = current - History::most_hours;
    if (read.read_back_to == 0) {
        OBS_TRY_VOID(read_hours(org, current - hours_at_once, current, now, cancel));
        read.read_back_to = current - hours_at_once;
        read.read_up_to = hour_of(now - late);
        return {};
    }
    if (const std::int64_t ended = hour_of(now - late); ended > read.read_up_to) {
        const std::int64_t from = std::max(read.read_up_to - hours_again, ended - hours_at_once);
        OBS_TRY_VOID(read_hours(org, from, ended, now, cancel));
        read.read_up_to = ended;
    }
    for (std::int64_t day = 0; day < days_a_look && read.read_back_to > oldest; ++day) {
        OBS_TRY_VOID(read_hours(org, read.read_back_to - hours_at_once, read.read_back_to, now, cancel));
        read.read_back_to -= hours_at_once;
    }
    return {};
}

Result<void> Anomalies::read_hours(const std::string& org, std::int64_t from, std::int64_t to, UnixNanos now,
                                   const Cancel& cancel) {
    const auto began = steady_clock::now();
    std::vector<UnixNanos> edges;
    for (std::int64_t at = from; at <= to; ++at) edges.push_back(start_of_hour(at));
    OBS_TRY_VOID(ask(org, std::move(edges), now, cancel, [&](Key key, UnixNanos behind, CallFigures figures) {
        Series* series = series_of(std::move(key));
        if (series == nullptr) return;
        series->history.set(hour_of(behind), figures);
        series->baselines_of = -1;
    }));
    const auto took = std::chrono::nanoseconds(steady_clock::now() - began);
    const std::lock_guard lock(mutex_);
    ++stats_.reads;
    stats_.reading_nanos += static_cast<std::uint64_t>(took.count());
    return {};
}

void Anomalies::forget_old(UnixNanos now) {
    const std::int64_t current = hour_of(now);
    if (std::exchange(forgotten_at_, current) == current) return;
    for (auto& [key, series] : all_) series.history.forget(current - History::most_hours);
    std::erase_if(all_, [](const auto& one) { return one.second.history.empty() && !one.second.lasts(); });
    if (options_.keep.count == 0) return;
    if (const auto forgotten = log_.forget(now - options_.keep); !forgotten)
        log::warning("alert: cannot forget old anomalies: {}", forgotten.error().message);
}

// What lasted when the program stopped lasts on.
void Anomalies::resume(UnixNanos now) {
    for (Anomaly& anomaly : log_.lasting(now - watched_windows.back())) {
        const auto dimension = dimension_named(anomaly.dimension);
        Series* series =
            dimension ? series_of({anomaly.org, anomaly.project, *dimension, anomaly.value}) : nullptr;
        if (series == nullptr) continue;
        const auto metric = static_cast<std::size_t>(anomaly.metric);
        if (anomaly.ended) {
            if (!series->watches[metric].lasts()) series->watches[metric].resume_after(*anomaly.ended);
            continue;
        }
        series->watches[metric].resume(window_of(anomaly.window), anomaly.deviation);
        series->lasting[metric] = std::move(anomaly);
    }
}

bool Anomalies::Series::lasts() const {
    return std::ranges::any_of(watches, &Watch::lasts);
}

Anomalies::Series* Anomalies::series_of(Key key) {
    const auto known = all_.find(key);
    if (known != all_.end()) return &known->second;
    if (all_.size() < most_series) return &all_[std::move(key)];
    if (!std::exchange(said_too_many_, true))
        log::warning("alert: anomalies of {} models, services and projects are looked for, not of more",
                     most_series);
    return nullptr;
}

void Anomalies::judge(const Key& key, Series& series, const Begins& begins, UnixNanos now) {
    CallFigures all;
    for (const CallFigures& figures : series.recent) all.add(figures);
    if (all.calls == 0 && !series.lasts()) return;
    if (series.baselines_of != hour_of(now)) {
        series.baselines_of = hour_of(now);
        for (std::size_t at = 0; at < metrics; ++at)
            series.baselines[at] = series.history.baseline(all_anomaly_metrics[at], series.baselines_of);
    }
    std::array<Stretch, stretches> recent{};
    for (std::size_t at = 0; at < stretches; ++at)
        recent[at] = {series.recent[at], (at == 0 ? now : begins[at - 1]) - begins[at]};
    for (std::size_t at = 0; at < metrics; ++at) {
        const AnomalyMetric metric = all_anomaly_metrics[at];
        Watch::Seen seen{};
        for (std::size_t window = 0; window < seen.size() && series.baselines[at]; ++window) {
            auto within = std::span(recent).first(window + 2);
            // Of percentiles, only what the shorter windows have not.
            if (metric == AnomalyMetric::latency && window > 0) within = within.last(1);
            seen[window] = alert::judge(metric, within, *series.baselines[at]);
        }
        note(key, series, at, series.watches[at].look(seen, now), now);
    }
}

void Anomalies::note(const Key& key, Series& series, std::size_t metric, Watch::News news, UnixNanos now) {
    const Watch& watch = series.watches[metric];
    Anomaly& anomaly = series.lasting[metric];
    switch (news) {
        case Watch::News::none: return;
        case Watch::News::began:
            anomaly = {.org = key.org,
                       .project = key.project,
                       .metric = all_anomaly_metrics[metric],
                       .dimension = std::string(key.dimension),
                       .value = key.value,
                       .began = now};
            anomaly.id = id_of(anomaly);
            take_worst(anomaly, watch);
            put(anomaly);
            return tell(anomaly, "opened", now);
        case Watch::News::worse: {
            const AnomalySeverity before = anomaly.severity;
            take_worst(anomaly, watch);
            anomaly.severity = std::max(anomaly.severity, before);
            put(anomaly);
            if (anomaly.severity != before) tell(anomaly, "updated", now);
            return;
        }
        case Watch::News::over:
            anomaly.ended = watch.calm_since();
            put(anomaly);
            return tell(anomaly, "ended", now);
    }
}

void Anomalies::put(const Anomaly& anomaly) {
    if (const auto kept = log_.put(anomaly); !kept)
        log::warning("alert: cannot keep an anomaly, trying again: {}", kept.error().message);
}

void Anomalies::tell(const Anomaly& anomaly, std::string_view state, UnixNanos now) {
    log::info("alert: {} of a {}: anomaly {}, {}", name_of(anomaly.metric), anomaly.dimension, state,
              name_of(anomaly.severity));
    if (listeners_ != nullptr) listeners_->publish(event_of(anomaly, state, now));
}

}  // namespace obs::alert
