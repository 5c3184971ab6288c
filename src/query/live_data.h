// What only the ingest path knows, as far as answers need it. Implemented by ingest/, thread-safe and quick.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "model/batches.h"
#include "model/question.h"

namespace obs::query {

class LiveData {
public:
    virtual ~LiveData() = default;
    // Every row with this sequence or a lower one can be seen in the store.
    virtual std::uint64_t visible_seq() const = 0;
    // Spans that began and have not ended, or are not yet stored (decisions 10 and 12), of one trace or of
    // all. Rows that the store has too are the caller's to drop.
    struct Running {
        SpanBatch spans;
        std::vector<UnixNanos> news;  // of each: when its trace was last heard of
    };
    virtual Running running(const Scope& scope, std::optional<TraceId> trace) const = 0;
};

}  // namespace obs::query
