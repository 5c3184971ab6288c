#include "store/memory/segment.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "base/utf8.h"
#include "store/field.h"

namespace obs::memory {

namespace {

template <class Column>
void fill(Column& column, const ColumnInfo& info, std::size_t size, const Source& source,
          std::optional<std::size_t> most) {
    const AnyBatch* batch = nullptr;
    const Column* from = nullptr;
    for (std::size_t out = 0; out < size; ++out) {
        const std::optional<RowRef> ref = source(info, out);
        if (!ref) continue;
        if (ref->batch != batch) {
            batch = ref->batch;
            from = std::get<const Column*>(column_of(*batch, info));
        }
        if constexpr (std::is_same_v<Column, Text>) {
            if (const std::string_view text = (*from)[ref->row]; most && text.size() > *most) {
                column.put(out, utf8_prefix(text, *most));
                continue;
            }
        }
        column.append(out, *from, ref->row);
    }
}

bool is_sorted(const AnyBatch& batch) {
    return std::visit([](const auto& rows) { return std::ranges::is_sorted(rows.ts.values_); }, batch);
}

void sort_by_time(std::vector<RowRef>& rows) {
    std::vector<std::pair<UnixNanos, RowRef>> timed;
    for (const RowRef ref : rows)
        timed.emplace_back(std::visit([&](const auto& batch) { return batch.ts[ref.row]; }, *ref.batch), ref);
    std::ranges::stable_sort(timed, {}, &std::pair<UnixNanos, RowRef>::first);
    std::ranges::transform(timed, rows.begin(), &std::pair<UnixNanos, RowRef>::second);
}

}  // namespace

std::size_t Segment::alive() const {
    return size() - static_cast<std::size_t>(std::count(dead.begin(), dead.end(), true));
}

const std::vector<UnixNanos>& Segment::times() const {
    return *std::visit([](const auto& batch) { return &batch.ts.values_; }, *rows);
}

SharedSegment make_segment(AnyBatch rows) {
    Segment segment;
    segment.bytes = bytes_of(rows);
    segment.rows = std::make_shared<const AnyBatch>(std::move(rows));
    return std::make_shared<const Segment>(std::move(segment));
}

SharedSegment without(const SharedSegment& segment, std::span<const std::uint32_t> rows) {
    Segment less = *segment;
    less.dead.resize(less.size(), false);
    for (const std::uint32_t row : rows) less.dead[row] = true;
    if (less.alive() == 0) return nullptr;
    return std::make_shared<const Segment>(std::move(less));
}

SharedSegment merged(std::span<const SharedSegment> segments) {
    std::vector<RowRef> rows;
    for (const SharedSegment& segment : segments)
        for (std::uint32_t row = 0; row < segment->size(); ++row)
            if (segment->lives(row)) rows.push_back({segment->rows.get(), row});
    sort_by_time(rows);
    return make_segment(gather(table_of(*segments.front()->rows), rows));
}

AnyBatch sorted(const AnyBatch& batch) {
    if (is_sorted(batch)) return batch;
    std::vector<RowRef> rows;
    for (std::uint32_t row = 0; row < size_of(batch); ++row) rows.push_back({&batch, row});
    sort_by_time(rows);
    return gather(table_of(batch), rows);
}

AnyBatch assemble(TableId table, std::size_t size, const Source& source,
                  std::optional<std::size_t> content_bytes) {
    AnyBatch made = empty_batch(table);
    std::visit(
        [&](auto& batch) {
            batch.for_each_column([&](const ColumnInfo& info, auto& column) {
                fill(column, info, size, source, info.has(content) ? content_bytes : std::nullopt);
            });
        },
        made);
    return made;
}

AnyBatch gather(TableId table, std::span<const RowRef> rows) {
    return assemble(table, rows.size(), [&](const ColumnInfo&, std::size_t out) { return rows[out]; });
}

std::size_t text_bytes(const AnyBatch& batch, std::uint32_t row) {
    std::size_t sum = 0;
    std::visit(
        [&](const auto& rows) {
            rows.for_each_column([&](const ColumnInfo&, const auto& column) {
                if constexpr (std::is_same_v<std::remove_cvref_t<decltype(column)>, Text>)
                    sum += column[row].size();
            });
        },
        batch);
    return sum;
}

}  // namespace obs::memory
