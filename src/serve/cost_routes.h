// GET /api/v1/analytics/costs, /costs/summary, /costs/attribution, /costs/forecast.
#pragma once

#include <vector>

#include "serve/analytics_request.h"
#include "serve/router.h"

namespace obs::serve {

std::vector<Route> cost_routes(const AnalyticsParts& parts);

}  // namespace obs::serve
