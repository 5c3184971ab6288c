// What has begun and has not ended, anywhere in a scope.
#pragma once

#include <vector>

#include "base/result.h"
#include "query/live_data.h"
#include "store/span_store.h"

namespace obs::query {

// The spans that were heard of last come first, at most `limit`; `total` counts all. Those that the store has
// with an end are left out. Errors: those of SpanStore::rows.
struct RunningList {
    SpanBatch spans;
    std::vector<UnixNanos> news;  // of each: when its trace was last heard of
    std::size_t total = 0;
};
Result<RunningList> running_spans(SpanStore& store, const LiveData& live, const Scope& scope,
                                  std::size_t limit, const Cancel& cancel);

}  // namespace obs::query
