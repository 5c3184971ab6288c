// GET /api/v1/anomalies: figures that were out of the ordinary.
#pragma once

#include <vector>

#include "catalog/anomaly_log.h"
#include "serve/router.h"

namespace obs::serve {

// Outlives the routes.
std::vector<Route> anomaly_routes(const AnomalyLog& anomalies);

}  // namespace obs::serve
