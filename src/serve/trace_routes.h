// GET /api/v1/traces, POST /api/v1/traces/search, GET /api/v1/traces/:trace_id.
#pragma once

#include <vector>

#include "query/live_data.h"
#include "serve/router.h"
#include "store/span_store.h"

namespace obs::serve {

// Both outlive the routes.
std::vector<Route> trace_routes(SpanStore& store, const query::LiveData& live, Nanos stuck_after);

}  // namespace obs::serve
