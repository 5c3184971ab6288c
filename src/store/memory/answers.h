// Answers questions from a snapshot.
#pragma once

#include "store/memory/segment.h"
#include "store/span_store.h"

namespace obs::memory {

Result<Rows> answer_rows(const Snapshot& snapshot, const RowQuestion& question, const Cancel& cancel);
Result<Table> answer_groups(const Snapshot& snapshot, const GroupQuestion& question, const Cancel& cancel);
Result<void> stream_rows(const Snapshot& snapshot, const RowQuestion& question,
                         const std::function<bool(AnyBatch)>& sink, const Cancel& cancel);

}  // namespace obs::memory
