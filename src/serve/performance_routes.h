// GET /api/v1/analytics/performance, /analytics/quality, /models/compare, /analytics/optimization.
#pragma once

#include <vector>

#include "serve/analytics_request.h"
#include "serve/router.h"

namespace obs::serve {

std::vector<Route> performance_routes(const AnalyticsParts& parts);

}  // namespace obs::serve
