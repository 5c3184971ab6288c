// Questions that would take longer than their budget are asked of a piece of their window at a time, the
// newest first (decision 24).
#pragma once

#include <functional>

#include "base/result.h"
#include "store/span_store.h"

namespace obs {

struct Piece {
    AnyBatch rows;
    std::uint64_t rows_read = 0;
};
// Answers the question within its window, whole; `cancelled` or `too_large` when its budget does not suffice.
using AskWindow = std::function<Result<Piece>(const RowQuestion& question, const Cancel& cancel)>;
// The times of the first and last row of the question's table.
using AskExtent = std::function<Result<Window>(const Cancel& cancel)>;

// Tries the whole window first, with a share of the budget: nearly every question is quick.
Result<Rows> ask_newest_first(const RowQuestion& question, const Cancel& cancel, const AskWindow& ask,
                              const AskExtent& extent);

}  // namespace obs
