// Walks the rows of a snapshot in slices of time, so that a question for the newest rows looks at few.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/question.h"
#include "store/evaluate.h"
#include "store/memory/segment.h"

namespace obs::memory {

// What rows a question is about, apart from their time.
struct Wanted {
    const Scope& scope;
    const Matcher& matcher;
    std::optional<std::uint64_t> up_to_seq;
};

class Scan {
public:
    enum class Way : std::uint8_t { newest_first, oldest_first };
    // `days` and what `wanted` points to must outlive it.
    Scan(const Days& days, const Window& window, Way way);

    bool done() const { return open_.empty(); }
    // Looks at the next slice and calls `f(batch, rows)` for every batch with rows that match, ascending.
    template <class F>
    void next(const Wanted& wanted, F&& f) {
        for (const Piece& piece : cut_slice()) {
            const std::vector<std::uint32_t> rows = matching(piece, wanted);
            if (!rows.empty()) f(*piece.segment->rows, rows);
        }
    }
    // Newest first: every row at or after this time was looked at. Oldest first: every row before it.
    UnixNanos reached() const { return reached_; }
    std::uint64_t looked_at() const { return looked_at_; }

private:
    struct Piece {
        const Segment* segment;
        std::uint32_t begin, end;
    };

    std::vector<Piece> cut_slice();
    Piece cut_newest(Piece& open) const;
    Piece cut_oldest(Piece& open) const;
    static std::vector<std::uint32_t> matching(const Piece& piece, const Wanted& wanted);

    Way way_;
    std::vector<Piece> open_;  // rows not looked at yet
    std::uint32_t step_ = 64;  // rows of the densest segment in the next slice; grows
    UnixNanos reached_;
    std::uint64_t looked_at_ = 0;
};

}  // namespace obs::memory
