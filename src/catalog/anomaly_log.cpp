#include "catalog/anomaly_log.h"

#include <algorithm>
#include <utility>

#include "catalog/database.h"

namespace obs {
namespace {

constexpr std::string_view metric_names[] = {"cost", "tokens", "latency", "error_rate"};
constexpr std::string_view metric_units[] = {"USD", "tokens", "ms", "share"};
constexpr std::string_view severity_names[] = {"low", "medium", "high", "critical"};

template <class Enum>
std::optional<Enum> among(std::span<const std::string_view> names, std::string_view word) {
    const auto found = std::ranges::find(names, word);
    if (found == names.end()) return std::nullopt;
    return static_cast<Enum>(found - names.begin());
}

struct AnomalyRow {
    Anomaly anomaly;
    std::string metric, severity;
    long long began = 0, ended = 0, worst = 0, window = 0, calls = 0;
    soci::indicator has_ended = soci::i_null;

    // Nothing when a newer program wrote it.
    std::optional<Anomaly> value() const {
        const auto of = anomaly_metric_from(metric);
        const auto how = anomaly_severity_from(severity);
        if (!of || !how) return std::nullopt;
        Anomaly copy = anomaly;
        copy.metric = *of;
        copy.severity = *how;
        copy.began = {began};
        if (has_ended == soci::i_ok) copy.ended = UnixNanos{ended};
        copy.worst = {worst};
        copy.window = {window};
        copy.calls = calls;
        return copy;
    }
};

bool is_in_scope(const Anomaly& anomaly, const Scope& scope) {
    return anomaly.org == scope.org() &&
           (scope.projects().empty() ||
            std::ranges::find(scope.projects(), anomaly.project) != scope.projects().end());
}

template <class T>
bool is_one_of(const std::vector<T>& wanted, const T& value) {
    return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

bool matches(const Anomaly& anomaly, const AnomalyQuestion& question) {
    return is_in_scope(anomaly, question.scope) && anomaly.began < question.to &&
           (!anomaly.ended || *anomaly.ended >= question.from) &&
           is_one_of(question.metrics, anomaly.metric) && is_one_of(question.severities, anomaly.severity) &&
           (question.dimension.empty() || anomaly.dimension == question.dimension) &&
           (question.value.empty() || anomaly.value == question.value) &&
           (!question.ended || anomaly.ended.has_value() == *question.ended);
}

}  // namespace

std::string_view name_of(AnomalyMetric metric) {
    return metric_names[static_cast<std::size_t>(metric)];
}
std::optional<AnomalyMetric> anomaly_metric_from(std::string_view word) {
    return among<AnomalyMetric>(metric_names, word);
}
std::string_view unit_of(AnomalyMetric metric) {
    return metric_units[static_cast<std::size_t>(metric)];
}
std::string_view name_of(AnomalySeverity severity) {
    return severity_names[static_cast<std::size_t>(severity)];
}
std::optional<AnomalySeverity> anomaly_severity_from(std::string_view word) {
    return among<AnomalySeverity>(severity_names, word);
}

Result<std::unique_ptr<AnomalyLog>> AnomalyLog::load(Catalog& catalog, std::string source) {
    std::unique_ptr<AnomalyLog> log(new AnomalyLog(catalog, std::move(source)));
    OBS_TRY_VOID(catalog.database().read("read anomalies", [&](soci::session& sql) -> Result<void> {
        AnomalyRow row;
        Anomaly& one = row.anomaly;
        const auto limit = static_cast<long long>(most);
        soci::statement statement =
            (sql.prepare
                 << "SELECT id, org, project, metric, dimension, value, severity, began, ended, worst, "
                    "window_length, measured, usual, deviation, calls FROM anomalies WHERE source = "
                    ":source ORDER BY began DESC LIMIT :most",
             soci::into(one.id), soci::into(one.org), soci::into(one.project), soci::into(row.metric),
             soci::into(one.dimension), soci::into(one.value), soci::into(row.severity),
             soci::into(row.began), soci::into(row.ended, row.has_ended), soci::into(row.worst),
             soci::into(row.window), soci::into(one.measured), soci::into(one.usual),
             soci::into(one.deviation), soci::into(row.calls), soci::use(log->source_, "source"),
             soci::use(limit, "most"));
        statement.execute();
        log->by_id_.clear();
        while (statement.fetch())
            if (auto anomaly = row.value()) log->by_id_.emplace(one.id, std::move(*anomaly));
        return {};
    }));
    return log;
}

Result<void> AnomalyLog::put(Anomaly anomaly) {
    std::vector<std::string> gone;
    {
        const std::lock_guard lock(mutex_);
        by_id_.insert_or_assign(anomaly.id, anomaly);
        while (by_id_.size() > most) {
            const auto older = [](const auto& a, const auto& b) {
                return std::pair(!a.second.ended, a.second.began) <
                       std::pair(!b.second.ended, b.second.began);
            };
            const auto oldest = std::ranges::min_element(by_id_, older);
            gone.push_back(oldest->first);
            by_id_.erase(oldest);
        }
    }
    auto written = write(anomaly);
    if (written && !gone.empty()) written = erase(gone);
    const std::lock_guard lock(mutex_);
    if (written)
        unsaved_.erase(anomaly.id);
    else
        unsaved_.insert_or_assign(anomaly.id, std::move(anomaly));
    return written;
}

Result<void> AnomalyLog::save() {
    std::map<std::string, Anomaly, std::less<>> waiting;
    {
        const std::lock_guard lock(mutex_);
        waiting.swap(unsaved_);
    }
    while (!waiting.empty()) {
        const auto written = write(waiting.begin()->second);
        if (written) {
            waiting.erase(waiting.begin());
            continue;
        }
        const std::lock_guard lock(mutex_);
        unsaved_.merge(waiting);
        return written;
    }
    return {};
}

Result<void> AnomalyLog::forget(UnixNanos before) {
    std::vector<std::string> gone;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, anomaly] : by_id_)
            if (anomaly.ended && *anomaly.ended < before) gone.push_back(id);
        for (const std::string& id : gone) by_id_.erase(id);
    }
    return gone.empty() ? Result<void>() : erase(gone);
}

Listed<Anomaly> AnomalyLog::list(const AnomalyQuestion& question, Page page) const {
    Listed<Anomaly> listed;
    const std::lock_guard lock(mutex_);
    std::vector<const Anomaly*> found;
    for (const auto& [id, anomaly] : by_id_)
        if (matches(anomaly, question)) found.push_back(&anomaly);
    std::ranges::sort(found, [](const Anomaly* a, const Anomaly* b) {
        return std::tie(a->began, a->id) > std::tie(b->began, b->id);
    });
    listed.total = static_cast<std::int64_t>(found.size());
    for (std::size_t at = page.offset; at < found.size() && listed.items.size() < page.limit; ++at)
        listed.items.push_back(*found[at]);
    return listed;
}

std::vector<Anomaly> AnomalyLog::lasting(std::optional<UnixNanos> or_ended_since) const {
    const std::lock_guard lock(mutex_);
    std::vector<Anomaly> all;
    for (const auto& [id, anomaly] : by_id_)
        if (!anomaly.ended || (or_ended_since && *anomaly.ended >= *or_ended_since)) all.push_back(anomaly);
    return all;
}

Result<void> AnomalyLog::write(const Anomaly& anomaly) {
    return catalog_.database().note("keep an anomaly", [&](soci::session& sql) -> Result<void> {
        const std::string metric(name_of(anomaly.metric)), severity(name_of(anomaly.severity));
        const long long began = anomaly.began.since_epoch, worst = anomaly.worst.since_epoch,
                        window = anomaly.window.count, calls = anomaly.calls,
                        ended = anomaly.ended.value_or(UnixNanos{}).since_epoch;
        soci::indicator has_ended = anomaly.ended ? soci::i_ok : soci::i_null;
        sql << "INSERT INTO anomalies (id, source, org, project, metric, dimension, value, severity, began, "
               "ended, worst, window_length, measured, usual, deviation, calls) VALUES (:id, :source, :org, "
               ":project, :metric, :dimension, :value, :severity, :began, :ended, :worst, :window, "
               ":measured, "
               ":usual, :deviation, :calls) ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, "
               "ended "
               "= excluded.ended, worst = excluded.worst, window_length = excluded.window_length, measured = "
               "excluded.measured, usual = excluded.usual, deviation = excluded.deviation, calls = "
               "excluded.calls",
            soci::use(anomaly.id), soci::use(source_), soci::use(anomaly.org), soci::use(anomaly.project),
            soci::use(metric), soci::use(anomaly.dimension), soci::use(anomaly.value), soci::use(severity),
            soci::use(began), soci::use(ended, has_ended), soci::use(worst), soci::use(window),
            soci::use(anomaly.measured), soci::use(anomaly.usual), soci::use(anomaly.deviation),
            soci::use(calls);
        return {};
    });
}

Result<void> AnomalyLog::erase(const std::vector<std::string>& ids) {
    return catalog_.database().note("forget anomalies", [&](soci::session& sql) -> Result<void> {
        std::string id;
        soci::statement statement =
            (sql.prepare << "DELETE FROM anomalies WHERE id = :id", soci::use(id, "id"));
        for (const std::string& one : ids) {
            id = one;
            statement.execute(true);
        }
        return {};
    });
}

}  // namespace obs
