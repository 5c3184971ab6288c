// What amending and erasing do to rows, as new rows.
#pragma once

#include <vector>

#include "store/memory/segment.h"
#include "store/span_store.h"

namespace obs::memory {

// How one stored row changes.
struct Change {
    bool to_rollup = false, to_own = false, to_root = false, not_root = false;
    std::optional<std::uint32_t> content{};  // row of Amendments::content
    std::vector<std::uint32_t> costs{};      // rows of Amendments::costs, of which one may have its seq
    std::vector<std::uint64_t> repeated{};   // the row goes if its seq is one of these
    bool only_removes() const {
        return !to_rollup && !to_own && !to_root && !not_root && !content && costs.empty();
    }
};

// The rows as they are after the changes, sorted by ts.
AnyBatch changed(std::span<const RowRef> rows, std::span<const Change> changes, const Amendments& amendments);
// The rows without anything flagged `content`, and without figures that follow from it.
AnyBatch without_content(TableId table, std::span<const RowRef> rows);

}  // namespace obs::memory
