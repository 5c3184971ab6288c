// The pieces the memory store is made of. Everything here is immutable once it is shared, so that readers
// need no lock.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/batches.h"

namespace obs::memory {

struct RowRef {
    const AnyBatch* batch;
    std::uint32_t row;
};

// Rows of one table and day, by ts ascending. Rows that were replaced or erased since are dead.
struct Segment {
    std::shared_ptr<const AnyBatch> rows;
    std::vector<bool> dead{};  // empty: none
    std::size_t bytes = 0;

    std::size_t size() const { return size_of(*rows); }
    bool lives(std::uint32_t row) const { return dead.empty() || !dead[row]; }
    std::size_t alive() const;
    const std::vector<UnixNanos>& times() const;
};
using SharedSegment = std::shared_ptr<const Segment>;

// Of one table, by day, in the order they came.
using Days = std::map<std::int32_t, std::vector<SharedSegment>>;
struct Snapshot {
    std::array<Days, std::size(all_tables)> tables;
    Days& of(TableId table) { return tables[static_cast<std::size_t>(table)]; }
    const Days& of(TableId table) const { return tables[static_cast<std::size_t>(table)]; }
};

SharedSegment make_segment(AnyBatch rows);
// The same rows, of which these (ascending) are dead as well. Nothing when none is left.
SharedSegment without(const SharedSegment& segment, std::span<const std::uint32_t> rows);
// The living rows of all segments in one.
SharedSegment merged(std::span<const SharedSegment> segments);
// The batch sorted by ts.
AnyBatch sorted(const AnyBatch& batch);

// Where the value of one column of row `out` of a new batch comes from; nothing for the default.
using Source = std::function<std::optional<RowRef>(const ColumnInfo& column, std::size_t out)>;
// A batch of `size` rows, put together column by column. `content_bytes` cuts texts flagged content.
AnyBatch assemble(TableId table, std::size_t size, const Source& source,
                  std::optional<std::size_t> content_bytes = std::nullopt);
AnyBatch gather(TableId table, std::span<const RowRef> rows);
// Bytes of the row's texts.
std::size_t text_bytes(const AnyBatch& batch, std::uint32_t row);

}  // namespace obs::memory
