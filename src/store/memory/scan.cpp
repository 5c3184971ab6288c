#include "store/memory/scan.h"

#include <algorithm>
#include <numeric>

#include "store/field.h"

namespace obs::memory {

namespace {

constexpr std::uint32_t largest_step = 4096;

std::uint32_t first_at_or_after(const std::vector<UnixNanos>& times, UnixNanos at) {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(times, at) - times.begin());
}

}  // namespace

Scan::Scan(const Days& days, const Window& window, Way way) : way_(way) {
    for (const auto& [day, segments] : days) {
        if (window.from && day < day_of(*window.from)) continue;
        if (window.to && day > day_of(*window.to)) break;
        for (const SharedSegment& segment : segments) {
            const auto& times = segment->times();
            const std::uint32_t begin = window.from ? first_at_or_after(times, *window.from) : 0;
            const std::uint32_t end =
                window.to ? first_at_or_after(times, *window.to) : static_cast<std::uint32_t>(times.size());
            if (begin < end) open_.push_back({segment.get(), begin, end});
        }
    }
}

std::vector<Scan::Piece> Scan::cut_slice() {
    // The slice ends where the first segment has given `step_` rows.
    bool first = true;
    for (const Piece& open : open_) {
        const auto& times = open.segment->times();
        const std::uint32_t step = std::min(step_, open.end - open.begin);
        if (way_ == Way::newest_first) {
            const UnixNanos edge = times[open.end - step];
            reached_ = first ? edge : std::max(reached_, edge);
        } else {
            const UnixNanos edge = times[open.begin + step - 1] + Nanos{1};
            reached_ = first ? edge : std::min(reached_, edge);
        }
        first = false;
    }
    std::vector<Piece> slice;
    for (Piece& open : open_) {
        const Piece piece = way_ == Way::newest_first ? cut_newest(open) : cut_oldest(open);
        if (piece.begin == piece.end) continue;
        looked_at_ += piece.end - piece.begin;
        slice.push_back(piece);
    }
    std::erase_if(open_, [](const Piece& open) { return open.begin == open.end; });
    step_ = std::min(step_ * 2, largest_step);
    return slice;
}

Scan::Piece Scan::cut_newest(Piece& open) const {
    const std::uint32_t at =
        std::clamp(first_at_or_after(open.segment->times(), reached_), open.begin, open.end);
    const Piece piece{open.segment, at, open.end};
    open.end = at;
    return piece;
}

Scan::Piece Scan::cut_oldest(Piece& open) const {
    const std::uint32_t at =
        std::clamp(first_at_or_after(open.segment->times(), reached_), open.begin, open.end);
    const Piece piece{open.segment, open.begin, at};
    open.begin = at;
    return piece;
}

std::vector<std::uint32_t> Scan::matching(const Piece& piece, const Wanted& wanted) {
    std::vector<std::uint32_t> rows(piece.end - piece.begin);
    std::iota(rows.begin(), rows.end(), piece.begin);
    const AnyBatch& batch = *piece.segment->rows;
    if (!piece.segment->dead.empty())
        std::erase_if(rows, [&](std::uint32_t row) { return !piece.segment->lives(row); });
    keep_scope(wanted.scope, batch, rows);
    if (wanted.up_to_seq) {
        const column::U64& seq = *find_column_of<column::U64>(batch, "seq");
        std::erase_if(rows, [&](std::uint32_t row) { return seq[row] > *wanted.up_to_seq; });
    }
    wanted.matcher.keep(batch, rows);
    return rows;
}

}  // namespace obs::memory
