// GET /api/v1/metrics, /metrics/summary, POST /api/v1/metrics/query.
#pragma once

#include <vector>

#include "serve/analytics_request.h"
#include "serve/router.h"

namespace obs::serve {

std::vector<Route> metric_query_routes(const AnalyticsParts& parts);

}  // namespace obs::serve
