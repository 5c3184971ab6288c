// GET /api/v1/running-spans: what has begun and has not ended.
#pragma once

#include <vector>

#include "query/live_data.h"
#include "serve/router.h"
#include "store/span_store.h"

namespace obs::serve {

// Whether a trace of which spans run counts as stuck: nothing was heard of it for so long.
bool is_stuck(UnixNanos news, Nanos stuck_after, UnixNanos now);

// Both outlive the routes.
std::vector<Route> running_routes(SpanStore& store, const query::LiveData& live, Nanos stuck_after);

}  // namespace obs::serve
