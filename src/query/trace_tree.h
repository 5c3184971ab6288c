// Spans put under the spans that started them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/batches.h"

namespace obs::query {

// The shape over the rows of a batch, which may hold several traces. Every row stands in it exactly once. A
// span whose parent is not among the rows stands at the top; of a circle of parents the earliest span does.
// Siblings are in the order of their start. Takes linear memory and no recursion.
class TraceTree {
public:
    // Deeper spans stand beside their ancestor at this level, because readers of JSON have limits of their
    // own; their parent_span_id says where they belong.
    static constexpr std::uint32_t depth_limit = 256;

    explicit TraceTree(const SpanBatch& spans);

    std::span<const std::uint32_t> top() const { return children_of_slot(0); }
    std::span<const std::uint32_t> children(std::uint32_t row) const { return children_of_slot(row + 1); }

private:
    std::span<const std::uint32_t> children_of_slot(std::size_t slot) const {
        return std::span(rows_).subspan(begins_[slot], begins_[slot + 1] - begins_[slot]);
    }

    std::vector<std::uint32_t> begins_;  // slot 0: the top; slot n + 1: children of row n
    std::vector<std::uint32_t> rows_;
};

}  // namespace obs::query
