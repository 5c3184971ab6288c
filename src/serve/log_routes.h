// GET /api/v1/logs, /api/v1/metric-points, /api/v1/scores and /api/v1/audit, each with POST …/search: tables
// of records.
#pragma once

#include <memory>
#include <vector>

#include "query/records.h"
#include "serve/router.h"
#include "serve/row_json.h"
#include "store/span_store.h"

namespace obs::serve {

// Both outlive the routes.
std::vector<Route> log_routes(SpanStore& store, const query::LiveData& live);

// The log records of a trace, oldest first, at most `most`.
struct TraceLogs {
    static constexpr std::size_t most = 1000;
    LogBatch logs;
    bool cut = false;  // there are more
};
ApiResult<TraceLogs> logs_of(SpanStore& store, const Scope& scope, TraceId trace, const Selection& selection,
                             const Cancel& cancel);
// As an array.
void write_logs(JsonWriter& json, const TraceLogs& logs, const Selection& selection);

}  // namespace obs::serve
