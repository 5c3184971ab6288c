// What an operator and a client ask about the server itself: probes, /metrics, fields, unpriced models.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "query/live_data.h"
#include "serve/metrics.h"
#include "serve/redis.h"
#include "serve/router.h"
#include "store/span_store.h"

namespace obs::serve {

// Why the program is not ready yet (starting, replaying, stopping); nothing when it is. Quick, from any
// thread.
using NotReady = std::function<std::optional<std::string>()>;

// All outlive the routes. `redis` is null when none is used.
std::vector<Route> system_routes(SpanStore& store, const Metrics& metrics, NotReady not_ready,
                                 const Redis* redis);

}  // namespace obs::serve
