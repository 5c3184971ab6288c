// Feedback and evaluations: posted, read and taken back (contract 1.1 row 21).
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "model/batches.h"
#include "model/intake.h"
#include "serve/router.h"
#include "store/span_store.h"

namespace obs::serve {

// Takes a row over for good, and says when it is on disk, or why it was not kept. Thread-safe.
using ScoreSink = std::function<void(Tenant whose, ScoreBatch row, std::function<void(Result<void>)> done)>;

// The store outlives the routes. Lists and searches of scores are among the log_routes.
std::vector<Route> score_routes(SpanStore& store, ScoreSink keep);

}  // namespace obs::serve
