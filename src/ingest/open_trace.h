// What is known of one trace whose spans still come, and the rules that only its spans together decide: which
// of them count, and which one is the root.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "base/ids.h"
#include "base/time.h"
#include "ingest/open_traces.h"
#include "model/batches.h"

namespace obs {

using Slot = std::uint32_t;
inline constexpr Slot nowhere = ~Slot{0};

// What is known of one span of an open trace. A span that was only named as a parent has `present` unset.
struct OpenSpan {
    SpanId id;
    SpanId parent;
    UnixNanos ts{};
    bool present = false;
    bool call = false;          // a model call
    bool rollup = false;        // repeats usage of others, or is the only one who knows it
    bool counts = false;        // is_call of its row in the store, with what is being changed
    bool replayed = false;      // that is not known: the row may have been settled by an earlier life
    bool call_below = false;    // a model call with usage is among its descendants
    bool rollup_below = false;  // settling: a span that counts its roll-up is
    bool rejoin = false;        // content has come for a replayed span since
    bool root = false;          // is_root of its row in the store, with what is being changed
    std::uint8_t says = 0;      // see completeness()
    std::uint32_t record = 0;   // that its row came in, counted from the first of the trace
};

struct TraceKey {
    std::uint32_t tenant;
    TraceId trace;
    bool operator==(const TraceKey&) const = default;
};
struct TraceKeyHash {
    std::size_t operator()(const TraceKey& key) const {
        return std::hash<TraceId>()(key.trace) ^ (std::size_t{key.tenant} * 0x9E3779B97F4A7C15);
    }
};

// Trees up to this size are searched from end to end.
inline constexpr std::size_t small_trace = 16;

// Rows of a trace, several for one span.
struct RowsBySpan {
    SpanBatch rows;
    std::unordered_multimap<SpanId, std::size_t> places;

    void add(const SpanBatch& from, std::size_t row, SpanId span) {
        places.emplace(span, rows.size());
        append_row(rows, from, row);
    }
    // In the order in which they were added.
    std::vector<std::size_t> of(SpanId span) const {
        std::vector<std::size_t> found;
        const auto [first, last] = places.equal_range(span);
        for (auto each = first; each != last; ++each) found.push_back(each->second);
        std::ranges::sort(found);
        return found;
    }
    std::size_t bytes() const { return bytes_of(rows) + places.size() * 40; }
};

struct Trace {
    boost::container::small_vector<OpenSpan, 1> spans;        // most traces have one
    std::unique_ptr<std::unordered_map<SpanId, Slot>> by_id;  // only beyond small_trace
    std::unique_ptr<RowsBySpan> content;                      // whose span is not there yet, or was replayed
    // Rows as they came, by the columns that content is joined to: what the store holds may have been joined
    // before the crash, so content is joined to these, from the start.
    std::unique_ptr<RowsBySpan> replayed;
    Sequence first_seq = 0;
    UnixNanos opened{}, due{};
    Slot root = nowhere;      // for the time being, until root_ended
    bool root_ended = false;  // a span without a parent has come
    bool maybe_stored = false;

    Sequence seq_of(const OpenSpan& span) const { return first_seq + span.record; }
    Slot find(SpanId id) const {
        if (by_id) {
            const auto found = by_id->find(id);
            return found == by_id->end() ? nowhere : found->second;
        }
        for (Slot at = 0; at < spans.size(); ++at)
            if (spans[at].id == id) return at;
        return nowhere;
    }
    Slot find_or_add(SpanId id) {
        if (const Slot at = find(id); at != nowhere) return at;
        const auto at = static_cast<Slot>(spans.size());
        spans.push_back({.id = id, .parent = {}});
        if (by_id) {
            by_id->emplace(id, at);
        } else if (spans.size() > small_trace) {
            by_id = std::make_unique<std::unordered_map<SpanId, Slot>>();
            for (Slot each = 0; each < spans.size(); ++each) by_id->emplace(spans[each].id, each);
        }
        return at;
    }
    bool has(SpanId id) const {
        const Slot at = find(id);
        return at != nowhere && spans[at].present;
    }
    std::size_t bytes() const {
        std::size_t sum = sizeof(Trace);
        if (spans.capacity() > 1) sum += spans.capacity() * sizeof(OpenSpan);
        if (by_id) sum += by_id->size() * 40;
        if (content) sum += content->bytes();
        if (replayed) sum += replayed->bytes();
        return sum;
    }
};

bool has_usage(const SpanBatch& rows, std::size_t row);
// Whether the row may be the only one who knows usage, and says some.
bool has_rollup(const SpanBatch& rows, std::size_t row);
// Of two rows of one span the one that says more is kept; what is sent again after a lost answer says as
// much.
std::uint8_t completeness(const SpanBatch& rows, std::size_t row);

// A span with a model call with usage at or below it tells all spans above it. `wrapper` is called with those
// that are found to be wrappers.
template <class Wrapper>
void mark_ancestors(Trace& trace, Slot from, Wrapper&& wrapper) {
    for (SpanId parent = trace.spans[from].parent; !parent.is_zero();) {
        const Slot at = trace.find_or_add(parent);
        OpenSpan& above = trace.spans[at];
        if (above.call_below || at == from) return;
        above.call_below = true;
        if (above.present && above.call && above.counts) wrapper(above);
        parent = above.parent;
    }
}

// What rows are still to count, or not to count any more, when all spans are there; `counts` is final then.
void settle_usage(TraceId id, Trace& trace, Amendments& changes);
// The earliest span whose parent never came; the earliest of all when parents run in a circle.
const OpenSpan* root_of(const Trace& trace);
// A row as the store has it, settled before or not.
void note_stored(Trace& trace, const SpanBatch& rows, std::size_t row);
// Of a row what content is joined to, and its key.
void append_content(SpanBatch& to, const SpanBatch& from, std::size_t from_row);
// The usage of a row becomes a repetition of what is below it: what Amendments::to_rollup does to a stored
// row.
void make_rollup(SpanBatch& rows, std::size_t row);

}  // namespace obs
