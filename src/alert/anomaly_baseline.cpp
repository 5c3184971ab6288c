#include "alert/anomaly_baseline.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace obs::alert {

namespace {

constexpr double of_mad = 1.4826;  // makes a standard deviation of it

// Comparable hours lie whole periods before an hour, and so many hours around that.
struct Comparison {
    Season season;
    std::int64_t period, periods, around;
    std::size_t least;  // periods with an hour of calls
};
constexpr Comparison comparisons[] = {
    {Season::week, 168, 5, 1, 3}, {Season::day, 24, 14, 1, 4}, {Season::trailing, 1, 24, 0, 3}};

// Below, nothing is out of the ordinary.
struct Floor {
    double calls;     // in the window
    double excess;    // more than usual
    double usual;     // what ratios are told from at least
    double relative;  // of the usual, that is always within the spread
};
constexpr Floor floor_of(AnomalyMetric metric) {
    switch (metric) {
        case AnomalyMetric::cost: return {10, 0.01, 0.001, 0.1};
        case AnomalyMetric::tokens: return {10, 1000, 100, 0.1};
        case AnomalyMetric::latency: return {10, 50, 1, 0.2};
        case AnomalyMetric::error_rate: return {20, 0.05, 0.02, 0.1};
    }
    return {};
}
// So dear that one call is enough.
constexpr double dear = 1;
// The mean square of what calls cost, by the square of their mean: costs and lengths of calls are
// log-normal, a few of them make up much of the sum.
constexpr double unevenness = 6;
// Deviations of a stretch that shows what its window does.
constexpr double agreeing = 2;
// How far the 95th percentile of one call is from that of many, by its size.
constexpr double latency_noise = 2.2;

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Baseline baseline_of(Season season, const std::vector<double>& values, std::vector<double> calls) {
    Baseline baseline{.season = season, .usual = median(values), .calls = median(std::move(calls))};
    std::vector<double> distances;
    for (const double value : values) distances.push_back(std::abs(value - baseline.usual));
    baseline.spread = of_mad * median(std::move(distances));
    return baseline;
}

double squared(double x) {
    return x * x;
}

// What the sum over a window strays from the usual by chance, squared: calls come at random, each of another
// size. With hardly any, one more or less.
double noise_of_sum(double usual, double calls) {
    const double of_a_call = calls > 0 ? usual / calls : usual;
    return unevenness * squared(of_a_call) * std::max(calls, 1.0);
}

double measured_in(AnomalyMetric metric, const CallFigures& window) {
    switch (metric) {
        case AnomalyMetric::cost: return window.cost;
        case AnomalyMetric::tokens: return window.tokens;
        case AnomalyMetric::latency: return window.latency.value_or(0);
        case AnomalyMetric::error_rate: return window.calls > 0 ? window.errors / window.calls : 0;
    }
    return 0;
}

Judgement strayed(AnomalyMetric metric, const Stretch& stretch, const Baseline& baseline) {
    const CallFigures& figures = stretch.figures;
    const bool summed = metric == AnomalyMetric::cost || metric == AnomalyMetric::tokens;
    const double share =
        static_cast<double>(stretch.length.count) / static_cast<double>(Nanos::hours(1).count);
    const double scale = summed ? share : 1;
    Judgement judged{.measured = measured_in(metric, figures), .usual = baseline.usual * scale};
    judged.calls = static_cast<std::int64_t>(figures.calls);
    const Floor floor = floor_of(metric);
    const double calls = std::max(figures.calls, 1.0);
    double noise = 0;
    if (summed)
        noise = noise_of_sum(judged.usual, baseline.calls * share);
    else if (metric == AnomalyMetric::latency)
        noise = squared(latency_noise * judged.usual) / calls;
    else
        noise = std::max(judged.usual, 0.01) * (1 - std::min(judged.usual, 0.99)) / calls;
    const double spread =
        std::sqrt(squared(baseline.spread * scale) + squared(floor.relative * judged.usual) + noise +
                  squared(floor.excess / 5));
    judged.ratio = judged.measured / std::max(judged.usual, floor.usual);
    judged.deviation = (judged.measured - judged.usual) / spread;
    return judged;
}

bool matters(AnomalyMetric metric, const CallFigures& window, double excess) {
    const Floor floor = floor_of(metric);
    if (excess < floor.excess) return false;
    if (metric == AnomalyMetric::error_rate && window.errors < 5) return false;
    return window.calls >= floor.calls;
}

std::optional<Judgement> judge_sums(AnomalyMetric metric, std::span<const Stretch> window,
                                    const Baseline& baseline) {
    Stretch whole{};
    int showing = 0;
    for (const Stretch& stretch : window) {
        whole.figures.add(stretch.figures);
        whole.length = whole.length + stretch.length;
        showing += strayed(metric, stretch, baseline).deviation >= agreeing ? 1 : 0;
    }
    if (whole.figures.calls < (metric == AnomalyMetric::cost ? 1 : floor_of(metric).calls))
        return std::nullopt;
    Judgement judged = strayed(metric, whole, baseline);
    const double excess = judged.measured - judged.usual;
    const bool one_call = metric == AnomalyMetric::cost && excess >= dear;
    // What is too little to matter is nothing at all.
    if (!one_call && (showing < 2 || !matters(metric, whole.figures, excess))) judged.deviation = 0;
    return judged;
}

// Percentiles do not add up: the least unusual of the stretches.
std::optional<Judgement> judge_percentiles(std::span<const Stretch> window, const Baseline& baseline) {
    std::optional<Judgement> least;
    for (const Stretch& stretch : window) {
        if (!stretch.figures.latency || stretch.figures.calls < floor_of(AnomalyMetric::latency).calls)
            return std::nullopt;
        Judgement judged = strayed(AnomalyMetric::latency, stretch, baseline);
        if (!matters(AnomalyMetric::latency, stretch.figures, judged.measured - judged.usual))
            judged.deviation = 0;
        if (!least || judged.deviation < least->deviation) least = judged;
    }
    return least;
}

}  // namespace

void CallFigures::add(const CallFigures& more) {
    calls += more.calls;
    errors += more.errors;
    cost += more.cost;
    tokens += more.tokens;
}

void History::set(std::int64_t hour, const CallFigures& figures) {
    if (figures.calls <= 0) {
        hours_.erase(hour);
        return;
    }
    hours_[hour] = {static_cast<float>(figures.calls), static_cast<float>(figures.errors),
                    static_cast<float>(figures.cost), static_cast<float>(figures.tokens),
                    static_cast<float>(figures.latency.value_or(-1))};
}

void History::forget(std::int64_t before) {
    hours_.erase(hours_.begin(), hours_.lower_bound(before));
}

std::optional<double> History::value_of(AnomalyMetric metric, const Kept& hour) {
    switch (metric) {
        case AnomalyMetric::cost: return hour.cost;
        case AnomalyMetric::tokens: return hour.tokens;
        case AnomalyMetric::latency:
            return hour.latency < 0 ? std::nullopt : std::optional<double>(hour.latency);
        case AnomalyMetric::error_rate: return hour.errors / hour.calls;
    }
    return std::nullopt;
}

std::optional<Baseline> History::baseline(AnomalyMetric metric, std::int64_t hour) const {
    for (const Comparison& compared : comparisons) {
        std::vector<double> values, calls;
        std::size_t periods = 0;
        for (std::int64_t back = 1; back <= compared.periods; ++back) {
            const std::int64_t middle = hour - back * compared.period;
            const std::size_t before = values.size();
            for (auto at = hours_.lower_bound(middle - compared.around);
                 at != hours_.end() && at->first <= middle + compared.around && at->first < hour; ++at)
                if (const auto value = value_of(metric, at->second)) {
                    values.push_back(*value);
                    calls.push_back(at->second.calls);
                }
            periods += values.size() > before ? 1 : 0;
        }
        if (periods >= compared.least) return baseline_of(compared.season, values, std::move(calls));
    }
    return std::nullopt;
}

std::optional<Judgement> judge(AnomalyMetric metric, std::span<const Stretch> window,
                               const Baseline& baseline) {
    return metric == AnomalyMetric::latency ? judge_percentiles(window, baseline)
                                            : judge_sums(metric, window, baseline);
}

AnomalySeverity severity_of(const Judgement& judgement) {
    if (judgement.ratio > 5) return AnomalySeverity::critical;
    if (judgement.ratio > 3) return AnomalySeverity::high;
    if (judgement.ratio > 2) return AnomalySeverity::medium;
    return AnomalySeverity::low;
}

}  // namespace obs::alert
