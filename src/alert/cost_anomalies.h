// Anomalies of costs, as they stand in answers about costs.
#pragma once

#include <vector>

#include "catalog/anomaly_log.h"
#include "query/cost_signals.h"

namespace obs::alert {

// Those that lasted at some time in between; the newest first, at most 1,000.
std::vector<query::CostAnomaly> cost_anomalies(const AnomalyLog& log, const Scope& scope, UnixNanos from,
                                               UnixNanos to);

}  // namespace obs::alert
