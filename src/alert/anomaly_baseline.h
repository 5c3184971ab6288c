// What is usual for the calls of a model, a service or a project at some hour, and how far from it a moment
// is. Robust: the median of comparable hours, and the median of their distances from it (MAD), so that a bad
// hour among them changes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "base/time.h"
#include "catalog/anomaly_log.h"

namespace obs::alert {

// Of model calls in some time.
struct CallFigures {
    double calls = 0, errors = 0;
    double cost = 0;  // dollars
    double tokens = 0;
    std::optional<double> latency{};  // the 95th percentile, milliseconds

    void add(const CallFigures& more);  // but for latencies
};

// Which hours were compared.
enum class Season : std::uint8_t {
    week,      // the same hour of the week, and its neighbours, in the last five weeks
    day,       // the same hour of the day, and its neighbours, in the last two weeks
    trailing,  // the last 24 hours
};

struct Baseline {
    Season season = Season::trailing;
    double usual = 0;   // in an hour: dollars, tokens; else milliseconds, share of calls
    double spread = 0;  // how far from it is usual: 1.4826 MAD, a standard deviation of what is normal
    double calls = 0;   // in an hour
};

// The number of the hour, since 1970.
constexpr std::int64_t hour_of(UnixNanos at) {
    return at.since_epoch / Nanos::hours(1).count;
}

// The whole hours of one series. Hours without calls are not there: an outage does not make the usual less.
class History {
public:
    static constexpr std::int64_t most_hours = 36 * 24;  // that a baseline can look back

    void set(std::int64_t hour, const CallFigures& figures);
    void forget(std::int64_t before);
    bool empty() const { return hours_.empty(); }
    // Of the first season that has enough hours before this one; nothing when none has.
    std::optional<Baseline> baseline(AnomalyMetric metric, std::int64_t hour) const;

private:
    struct Kept {
        float calls, errors, cost, tokens, latency;  // a latency below 0 is unknown
    };
    static std::optional<double> value_of(AnomalyMetric metric, const Kept& hour);
    std::map<std::int64_t, Kept> hours_;
};

struct Judgement {
    double measured = 0, usual = 0;  // in the window: dollars, tokens, milliseconds, share
    double ratio = 0;
    double deviation = 0;  // of measured from usual, in spreads and the noise of so few calls
    std::int64_t calls = 0;
};

// What came in a stretch of time.
struct Stretch {
    CallFigures figures;
    Nanos length;
};
// Of a window that is made of stretches. Nothing when the calls are too few to tell. A single call that is
// out of the ordinary shows in one stretch: more than one must show it, unless the call is very dear.
std::optional<Judgement> judge(AnomalyMetric metric, std::span<const Stretch> window,
                               const Baseline& baseline);
AnomalySeverity severity_of(const Judgement& judgement);

}  // namespace obs::alert
