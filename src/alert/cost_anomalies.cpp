#include "alert/cost_anomalies.h"

#include <cmath>
#include <utility>

namespace obs::alert {

namespace {

constexpr std::size_t most_shown = 1'000;

Usd dollars(double amount) {
    return {std::llround(amount * 1e9)};
}

}  // namespace

std::vector<query::CostAnomaly> cost_anomalies(const AnomalyLog& log, const Scope& scope, UnixNanos from,
                                               UnixNanos to) {
    AnomalyQuestion question(scope);
    question.from = from;
    question.to = to;
    question.metrics = {AnomalyMetric::cost};
    std::vector<query::CostAnomaly> found;
    for (Anomaly& one : log.list(question, {.limit = most_shown}).items)
        found.push_back({.at = one.began,
                         .dimension = std::move(one.dimension),
                         .value = std::move(one.value),
                         .cost = dollars(one.measured),
                         .expected = dollars(one.usual),
                         .deviation = one.deviation,
                         .severity = std::string(name_of(one.severity))});
    return found;
}

}  // namespace obs::alert
