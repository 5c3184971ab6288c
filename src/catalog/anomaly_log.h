// Figures of model calls that are out of the ordinary, as long as they are and afterwards. Found by alert/,
// kept in the catalog, read by the API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "model/question.h"

namespace obs {

enum class AnomalyMetric : std::uint8_t { cost, tokens, latency, error_rate };
inline constexpr AnomalyMetric all_anomaly_metrics[] = {AnomalyMetric::cost, AnomalyMetric::tokens,
                                                        AnomalyMetric::latency, AnomalyMetric::error_rate};
std::string_view name_of(AnomalyMetric metric);
std::optional<AnomalyMetric> anomaly_metric_from(std::string_view word);
// `USD`, `tokens`, `ms`, `share`.
std::string_view unit_of(AnomalyMetric metric);

enum class AnomalySeverity : std::uint8_t { low, medium, high, critical };
std::string_view name_of(AnomalySeverity severity);
std::optional<AnomalySeverity> anomaly_severity_from(std::string_view word);

struct Anomaly {
    std::string id{}, org{}, project{};
    AnomalyMetric metric = AnomalyMetric::cost;
    std::string dimension{}, value{};  // whose calls: `model`, `gpt-4o`
    AnomalySeverity severity = AnomalySeverity::low;
    UnixNanos began{};
    std::optional<UnixNanos> ended{};  // nothing: it lasts
    // When it was worst: in a window that ended then, in the unit of the metric.
    UnixNanos worst{};
    Nanos window{};
    double measured = 0, usual = 0;
    double deviation = 0;  // how many times as far from the usual as is usual itself
    std::int64_t calls = 0;
    bool operator==(const Anomaly&) const = default;
};

// Nothing said means all.
struct AnomalyQuestion {
    explicit AnomalyQuestion(Scope whose) : scope(std::move(whose)) {}
    Scope scope;
    UnixNanos from, to;  // it lasted at some time in between
    std::vector<AnomalyMetric> metrics{};
    std::vector<AnomalySeverity> severities{};
    std::string dimension{}, value{};
    std::optional<bool> ended{};
};

// All anomalies of one data directory, in memory as well: reading is quick. Thread-safe.
class AnomalyLog {
public:
    static constexpr std::size_t most = 20'000;  // beyond, the oldest ones that have ended go

    // Reads what the catalog has of `source`, the id of the data directory.
    static Result<std::unique_ptr<AnomalyLog>> load(Catalog& catalog, std::string source);

    // A new one, or what became of one that is known. It is kept in memory whatever the catalog says; when it
    // fails, save() tries again.
    Result<void> put(Anomaly anomaly);
    // Writes what could not be written.
    Result<void> save();
    // Those that ended before.
    Result<void> forget(UnixNanos before);

    // The newest first.
    Listed<Anomaly> list(const AnomalyQuestion& question, Page page) const;
    // Those that last, and those that ended since.
    std::vector<Anomaly> lasting(std::optional<UnixNanos> or_ended_since = {}) const;

private:
    AnomalyLog(Catalog& catalog, std::string source) : catalog_(catalog), source_(std::move(source)) {}
    Result<void> write(const Anomaly& anomaly);
    Result<void> erase(const std::vector<std::string>& ids);

    Catalog& catalog_;
    const std::string source_;
    mutable std::mutex mutex_;
    std::map<std::string, Anomaly, std::less<>> by_id_;
    std::map<std::string, Anomaly, std::less<>> unsaved_;
};

}  // namespace obs
