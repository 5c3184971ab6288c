// What stands beside a list: the values of its fields with counts, and its rows over time.
#pragma once

#include <vector>

#include "serve/analytics_request.h"
#include "serve/router.h"

namespace obs::serve {

// GET and POST /api/v1/traces/facets and /api/v1/traces/histogram.
std::vector<Route> facet_routes(const AnalyticsParts& parts);

}  // namespace obs::serve
