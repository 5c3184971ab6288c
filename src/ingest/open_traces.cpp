#include "ingest/open_traces.h"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>
#include <utility>

#include <boost/container/small_vector.hpp>

#include "base/hash.h"
#include "enrich/enrich.h"

namespace obs {

namespace {

using Slot = std::uint32_t;
constexpr Slot nowhere = ~Slot{0};

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
constexpr std::size_t small_trace = 16;

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

bool has_usage(const SpanBatch& rows, std::size_t row) {
    return rows.prompt_tokens[row] || rows.completion_tokens[row] || rows.total_tokens[row] ||
           rows.total_cost[row];
}

// Tools and other spans repeat usage too, but are never the only ones who know it.
bool may_own_rollup(const SpanBatch& rows, std::size_t row) {
    return rows.kind[row] == "agent" || rows.kind[row] == "chain";
}

bool has_rollup(const SpanBatch& rows, std::size_t row) {
    return may_own_rollup(rows, row) &&
           (rows.rollup_prompt_tokens[row] || rows.rollup_completion_tokens[row] || rows.rollup_cost[row]);
}

// Of two rows of one span the one that says more is kept; what is sent again after a lost answer says as
// much.
std::uint8_t completeness(const SpanBatch& rows, std::size_t row) {
    const std::size_t attributes = rows.attributes.end(row) - rows.attributes.begin(row);
    const std::array<bool, 10> facts{rows.duration[row].count != 0,    has_usage(rows, row),
                                     rows.total_cost[row].has_value(), !rows.model[row].empty(),
                                     !rows.input_text[row].empty(),    !rows.output_text[row].empty(),
                                     !rows.stop_reason[row].empty(),   !rows.user_id[row].empty(),
                                     !rows.session_id[row].empty(),    rows.status_code[row] != 0};
    return static_cast<std::uint8_t>(std::min<std::size_t>(
        255, static_cast<std::size_t>(std::ranges::count(facts, true)) * 8 + attributes));
}

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

// Of agents inside each other, without a model call, the innermost ones count.
void mark_rollups(Trace& trace) {
    for (Slot from = 0; from < trace.spans.size(); ++from) {
        const OpenSpan& span = trace.spans[from];
        if (!span.present || !span.rollup || span.call_below) continue;
        for (Slot at = trace.find(span.parent); at != nowhere && at != from;
             at = trace.find(trace.spans[at].parent))
            if (std::exchange(trace.spans[at].rollup_below, true)) break;
    }
}

// What rows are still to count, or not to count any more, when all spans are there; `counts` is final then.
void settle_usage(TraceId id, Trace& trace, Amendments& changes) {
    mark_rollups(trace);
    for (OpenSpan& span : trace.spans) {
        if (!span.present) continue;
        const bool owns = span.rollup && !span.call_below && !span.rollup_below;
        const bool repeats = span.rollup ? !owns : span.call && span.call_below;
        if (owns && (!span.counts || span.replayed)) changes.to_own.push_back({span.ts, id, span.id});
        if (repeats && (span.counts || span.replayed)) changes.to_rollup.push_back({span.ts, id, span.id});
        span.counts = owns || (span.counts && !repeats);
    }
}

// The earliest span whose parent never came; the earliest of all when parents run in a circle.
const OpenSpan* root_of(const Trace& trace) {
    const OpenSpan* first = nullptr;
    bool first_is_top = false;
    for (const OpenSpan& span : trace.spans) {
        if (!span.present) continue;
        const bool is_top = !trace.has(span.parent);
        if (first == nullptr || (is_top && !first_is_top) ||
            (is_top == first_is_top && span.ts < first->ts)) {
            first = &span;
            first_is_top = is_top;
        }
    }
    return first;
}

// A row as the store has it, settled before or not.
void note_stored(Trace& trace, const SpanBatch& rows, std::size_t row) {
    const Slot at = trace.find_or_add(rows.span_id[row]);
    OpenSpan& span = trace.spans[at];
    if (span.present) return;
    span.present = true;
    span.parent = rows.parent_span_id[row];
    span.ts = rows.ts[row];
    span.counts = rows.is_call[row] != 0;
    // An agent counts only because nobody below it did when its trace settled.
    span.rollup = may_own_rollup(rows, row) && (span.counts || has_rollup(rows, row));
    span.call = span.counts && !span.rollup;
    span.root = rows.is_root[row] != 0;
    trace.root_ended = trace.root_ended || span.parent.is_zero();
    if ((span.call && has_usage(rows, row)) || span.call_below)
        mark_ancestors(trace, at, [](const OpenSpan&) {});
}

// Of a row what content is joined to, and its key.
void append_content(SpanBatch& to, const SpanBatch& from, std::size_t from_row) {
    const std::size_t row = to.size();
#define OBS_APPEND_CONTENT(name, Type, column_flags, meaning) \
    if constexpr (((column_flags) & content) != 0) to.name.append(row, from.name, from_row);
    OBS_SPAN_COLUMNS(OBS_APPEND_CONTENT)
#undef OBS_APPEND_CONTENT
    to.stop_reason.append(row, from.stop_reason, from_row);
    to.flags.append(row, from.flags, from_row);
    to.trace_id.append(row, from.trace_id, from_row);
    to.span_id.append(row, from.span_id, from_row);
    to.ts.append(row, from.ts, from_row);
}

// The usage of a row becomes a repetition of what is below it: what Amendments::to_rollup does to a stored
// row.
void make_rollup(SpanBatch& rows, std::size_t row) {
    if (const auto tokens = rows.prompt_tokens[row]) rows.rollup_prompt_tokens.set(row, tokens);
    if (const auto tokens = rows.completion_tokens[row]) rows.rollup_completion_tokens.set(row, tokens);
    if (const auto cost = rows.total_cost[row]) rows.rollup_cost.set(row, cost);
    for (auto* tokens :
         {&rows.prompt_tokens, &rows.completion_tokens, &rows.total_tokens, &rows.cached_input_tokens,
          &rows.cache_write_tokens, &rows.reasoning_tokens, &rows.audio_input_tokens,
          &rows.audio_output_tokens, &rows.image_input_tokens, &rows.image_output_tokens})
        if ((*tokens)[row]) tokens->set(row, std::nullopt);
    for (auto* cost : {&rows.prompt_cost, &rows.completion_cost, &rows.total_cost})
        if ((*cost)[row]) cost->set(row, std::nullopt);
    rows.is_call.set(row, 0);
}

// Traces that were settled: about the last four million, the others only by chance.
class Settled {
public:
    void add(const TraceKey& key) { place(key) = print(key); }
    bool maybe_has(const TraceKey& key) const { return prints_[at(key)] == print(key); }

private:
    static constexpr std::size_t room = std::size_t{1} << 22;
    static std::size_t at(const TraceKey& key) { return TraceKeyHash()(key) % room; }
    // Of the bits that did not choose the place; never 0, which is an empty place.
    static std::uint32_t print(const TraceKey& key) {
        return static_cast<std::uint32_t>(TraceKeyHash()(key) >> 32) | 1;
    }
    std::uint32_t& place(const TraceKey& key) { return prints_[at(key)]; }

    std::vector<std::uint32_t> prints_ = std::vector<std::uint32_t>(room);
};

// Spans by the id of the provider's answer, for events that name no span. Only a help: of many, the last
// ones.
class Answers {
public:
    struct Answered {
        std::uint64_t response = 0;  // hash of the id
        TraceKey key{};
        SpanId span;
        bool unique = false;  // two spans with one id: nobody knows whose the event is
    };
    void add(const TraceKey& key, std::string_view response, SpanId span) {
        if (answered_.empty()) answered_.resize(room);
        const std::uint64_t hash = hash_of(key.tenant, response);
        Answered& at = answered_[hash % room];
        at = {hash, key, span, at.response != hash};
    }
    const Answered* find(std::uint32_t tenant, std::string_view response) const {
        if (answered_.empty()) return nullptr;
        const std::uint64_t hash = hash_of(tenant, response);
        const Answered& at = answered_[hash % room];
        return at.unique && at.response == hash && at.key.tenant == tenant ? &at : nullptr;
    }

private:
    static constexpr std::size_t room = std::size_t{1} << 18;
    static std::uint64_t hash_of(std::uint32_t tenant, std::string_view response) {
        return hash64(response) + std::uint64_t{tenant} * 0x9E3779B97F4A7C15;
    }
    std::vector<Answered> answered_;
};

// Traces by the time at which they are looked at again: one slot for a quarter of a second.
class Wheel {
public:
    void put(const TraceKey& key, UnixNanos due) { slot(due.since_epoch / tick).push_back(key); }

    // Hands over what lies in the slots up to `now`.
    template <class F>
    void turn(UnixNanos now, F&& visit) {
        const std::int64_t last = now.since_epoch / tick;
        // At the start, and when the clock jumps ahead, every slot is visited once.
        for (at_ = std::max(at_, last - static_cast<std::int64_t>(slots_.size())); at_ <= last; ++at_) {
            std::vector<TraceKey> keys = std::exchange(slot(at_), {});
            for (const TraceKey& key : keys) visit(key);
        }
        at_ = last;
    }

private:
    static constexpr std::int64_t tick = 250'000'000;
    std::vector<TraceKey>& slot(std::int64_t at) {
        return slots_[static_cast<std::size_t>(at) % slots_.size()];
    }
    std::array<std::vector<TraceKey>, 512> slots_;
    std::int64_t at_ = 0;
};

}  // namespace

struct OpenTraces::State {
    State(Options chosen, const Enricher& how) : options(chosen), enricher(how) {}

    const Options options;
    const Enricher& enricher;
    mutable std::mutex mutex;

    std::vector<Tenant> tenants;
    std::unordered_map<TraceKey, Trace, TraceKeyHash> traces;
    std::map<Sequence, std::uint32_t> first_seqs;  // how many open traces began in that record
    Wheel wheel;
    Settled settled;
    Answers answers;
    std::size_t bytes = 0;
    Stats stats;
    std::map<std::uint32_t, Amendments> amendments;  // by tenant
    std::map<std::uint32_t, Again> again;            // the same
    std::map<std::uint32_t, Join> joins;
    std::vector<std::pair<TraceKey, SpanId>> rejoins;  // spans with OpenSpan::rejoin
    bool list_settled = false;
    std::vector<SettledTrace> settled_traces;  // when they are listed

    std::uint32_t tenant_number(const Tenant& tenant) {
        for (std::uint32_t at = 0; at < tenants.size(); ++at)
            if (tenants[at].org == tenant.org && tenants[at].project == tenant.project) return at;
        tenants.push_back(tenant);
        return static_cast<std::uint32_t>(tenants.size() - 1);
    }

    Trace& open(const TraceKey& key, const Arrival& arrival) {
        const auto [at, is_new] = traces.try_emplace(key);
        Trace& trace = at->second;
        if (is_new) {
            trace.first_seq = arrival.seq;
            trace.opened = arrival.now;
            trace.due = arrival.now + options.settle_after;
            ++first_seqs[arrival.seq];
            wheel.put(key, trace.due);
            bytes += trace.bytes();
            ++stats.open_traces;
        }
        trace.maybe_stored = trace.maybe_stored || arrival.maybe_stored;
        return trace;
    }

    void news(const TraceKey& key, Trace& trace, UnixNanos now) {
        const UnixNanos due = now + (trace.root_ended ? options.settle_after_root : options.settle_after);
        // The wheel looks again where it finds a later time; only an earlier one has to be put there.
        if (due < trace.due) wheel.put(key, due);
        trace.due = std::min(due, trace.opened + options.settle_at_last);
    }

    Amendments& amendments_of(std::uint32_t tenant) { return of_tenant(amendments, tenant); }
    template <class Changes>
    Changes& of_tenant(std::map<std::uint32_t, Changes>& all, std::uint32_t tenant) {
        Changes& made = all[tenant];
        if (made.org.empty()) {
            made.org = tenants[tenant].org;
            made.project = tenants[tenant].project;
        }
        return made;
    }

    void join_later(std::uint32_t tenant, UnixNanos ts, const SpanBatch& content, std::size_t row,
                    TraceId trace, SpanId span) {
        Join& join = of_tenant(joins, tenant);
        const std::size_t at = join.content.size();
        append_row(join.content, content, row);
        join.content.ts.set(at, ts);
        join.content.trace_id.set(at, trace);
        join.content.span_id.set(at, span);
    }

    enum class News : std::uint8_t { none, more, all };
    // Notes a row; tells what of it is new.
    News note(const TraceKey& key, Trace& trace, SpanBatch& rows, std::size_t row, const Arrival& arrival) {
        const Slot at = trace.find_or_add(rows.span_id[row]);
        OpenSpan& span = trace.spans[at];
        const std::uint8_t says = completeness(rows, row);
        const News news = !span.present ? News::all : says > span.says ? News::more : News::none;
        if (news == News::none) return news;
        if (news == News::more && trace.seq_of(span) != arrival.seq)
            amendments_of(key.tenant).repeated.push_back({{span.ts, key.trace, span.id}, trace.seq_of(span)});
        if (news == News::all) ++stats.open_spans;
        span.present = true;
        span.says = says;
        span.record = static_cast<std::uint32_t>(arrival.seq - trace.first_seq);
        span.replayed = span.replayed || arrival.maybe_stored;
        span.parent = rows.parent_span_id[row];
        span.ts = rows.ts[row];
        span.call = rows.is_call[row] != 0;
        span.rollup = has_rollup(rows, row);
        if (span.parent.is_zero()) note_root(key, trace, at);
        if (span.root) rows.is_root.set(row, 1);
        if (span.call && span.call_below) make_rollup(rows, row);
        span.counts = rows.is_call[row] != 0;
        if (!rows.response_id[row].empty()) answers.add(key, rows.response_id[row], span.id);
        // `span` may move from here on.
        if ((span.call && has_usage(rows, row)) || span.call_below)
            mark_ancestors(trace, at, [&](OpenSpan& above) {
                above.counts = false;
                amendments_of(key.tenant).to_rollup.push_back({above.ts, key.trace, above.id});
            });
        return news;
    }

    // A span without a parent: what was the root for the time being is none.
    void note_root(const TraceKey& key, Trace& trace, Slot at) {
        if (!trace.root_ended && trace.root != nowhere && trace.root != at) {
            OpenSpan& before = trace.spans[trace.root];
            before.root = false;
            amendments_of(key.tenant).not_root.push_back({before.ts, key.trace, before.id});
        }
        trace.root_ended = true;
        trace.root = at;
        trace.spans[at].root = true;
    }

    // All rows of a record are noted: the first span of a trace whose parent is not there, of those that came
    // with the record that brought the first of them.
    static void choose_root(Trace& trace, SpanBatch& rows, std::size_t row, std::size_t& chosen) {
        if (trace.root_ended || trace.has(rows.parent_span_id[row])) return;
        if (trace.root != nowhere) {
            OpenSpan& before = trace.spans[trace.root];
            // Chosen among earlier rows; only settling chooses again.
            if (chosen == rows.size() || before.ts <= rows.ts[row]) return;
            before.root = false;
            rows.is_root.set(chosen, 0);
        }
        trace.root = trace.find(rows.span_id[row]);
        trace.spans[trace.root].root = true;
        rows.is_root.set(row, 1);
        chosen = row;
    }

    // When a trace settles without a span that has no parent.
    void settle_root(const TraceKey& key, const Trace& trace, const OpenSpan& first) {
        if (trace.root_ended || first.root) return;
        Amendments& changes = amendments_of(key.tenant);
        changes.to_root.push_back({first.ts, key.trace, first.id});
        if (trace.root == nowhere) return;
        const OpenSpan& before = trace.spans[trace.root];
        changes.not_root.push_back({before.ts, key.trace, before.id});
    }

    // Content that came before the row, joined to it; the row is the last one of `rows`.
    void take_waiting_content(const TraceKey& key, Trace& trace, SpanBatch& rows) {
        const std::size_t row = rows.size() - 1;
        const Slot at = trace.find(rows.span_id[row]);
        bool changed = false;
        for (const std::size_t event : trace.content->of(rows.span_id[row])) {
            changed = merge_content(rows, row, trace.content->rows, event) || changed;
            if (trace.spans[at].replayed) rejoin_later(key, trace.spans[at]);
            ++stats.joined_events;
        }
        if (changed) enricher.read_texts(rows, row, row + 1);
    }

    void rejoin_later(const TraceKey& key, OpenSpan& span) {
        if (!std::exchange(span.rejoin, true)) rejoins.emplace_back(key, span.id);
    }

    // All the content of a replayed span, joined to the row as it came: the result does not depend on how
    // much of it the stored row got before the crash.
    void rejoin(const TraceKey& key, SpanId span) {
        Trace& trace = traces.at(key);
        trace.spans[trace.find(span)].rejoin = false;
        SpanBatch row;
        append_row(row, trace.replayed->rows, trace.replayed->of(span).back());
        for (const std::size_t event : trace.content->of(span))
            merge_content(row, 0, trace.content->rows, event);
        enricher.read_texts(row, 0, 1);
        append_rows(amendments_of(key.tenant).content, row);
    }

    // -- settling
    // ----------------------------------------------------------------------------------------------------

    void settle(const TraceKey& key) {
        const auto found = traces.find(key);
        if (found == traces.end()) return;
        Trace& trace = found->second;
        bool asks = false;
        if (const OpenSpan* first = root_of(trace); first != nullptr) {
            asks = must_ask(key, trace, *first);
            if (asks) {
                of_tenant(again, key.tenant).traces.push_back(extent_of(key.trace, trace, *first));
            } else {
                if (trace.spans.size() > 1 || first->rollup)
                    settle_usage(key.trace, trace, amendments_of(key.tenant));
                settle_root(key, trace, *first);
            }
        }
        if (trace.content)
            for (const auto& [span, row] : trace.content->places)
                if (!trace.has(span)) ++stats.unmatched_events;
        if (list_settled) settled_traces.push_back(listed(key, trace, asks));
        settled.add(key);
        forget(found);
        ++stats.settled_traces;
    }

    SettledTrace listed(const TraceKey& key, const Trace& trace, bool store_knows) const {
        SettledTrace made{tenants[key.tenant].org, tenants[key.tenant].project, key.trace};
        if (store_knows) return made;
        made.calls.emplace();
        for (const OpenSpan& span : trace.spans)
            if (span.present && span.counts) made.calls->push_back(span.id);
        return made;
    }

    static Again::Trace extent_of(TraceId id, const Trace& trace, const OpenSpan& any) {
        Again::Trace extent{id, any.ts, any.ts};
        for (const OpenSpan& span : trace.spans) {
            if (!span.present) continue;
            extent.first = std::min(extent.first, span.ts);
            extent.last = std::max(extent.last, span.ts);
        }
        return extent;
    }

    // Whether the store may have spans of this trace that are not here, and it matters: they may lie above a
    // span whose parent is not here, be the root, or know the usage that is repeated here.
    bool must_ask(const TraceKey& key, const Trace& trace, const OpenSpan& first) const {
        const bool settled_before = settled.maybe_has(key);
        if (!settled_before && !trace.maybe_stored && first.ts >= options.began) return false;
        // The root of a trace that settled before it came has been another one.
        if (!trace.root_ended || settled_before) return true;
        return std::ranges::any_of(trace.spans, [&](const OpenSpan& span) {
            return span.present && (span.rollup || (!span.parent.is_zero() && !trace.has(span.parent)));
        });
    }

    void forget(std::unordered_map<TraceKey, Trace, TraceKeyHash>::iterator at) {
        const Trace& trace = at->second;
        bytes -= std::min(bytes, trace.bytes());
        --stats.open_traces;
        for (const OpenSpan& span : trace.spans) stats.open_spans -= span.present ? 1 : 0;
        const auto seq = first_seqs.find(trace.first_seq);
        if (--seq->second == 0) first_seqs.erase(seq);
        traces.erase(at);
    }

    void look_at(const TraceKey& key, UnixNanos now) {
        const auto found = traces.find(key);
        if (found == traces.end()) return;
        if (found->second.due > now)
            wheel.put(key, found->second.due);
        else
            settle(key);
    }

    // The traces that began first, an eighth of all at a time, until there is room: what settles at once is
    // amended at once, and nothing is written meanwhile.
    void make_room() {
        while (bytes > options.bytes && !traces.empty()) {
            std::vector<std::pair<Sequence, TraceKey>> oldest;
            oldest.reserve(traces.size());
            for (const auto& [key, trace] : traces) oldest.emplace_back(trace.first_seq, key);
            const auto last = oldest.begin() + static_cast<std::ptrdiff_t>((oldest.size() - 1) / 8);
            std::ranges::nth_element(oldest, last, {}, [](const auto& each) { return each.first; });
            for (auto each = oldest.begin(); each <= last; ++each) {
                settle(each->second);
                ++stats.settled_early;
            }
        }
    }
};

OpenTraces::OpenTraces(Options options, const Enricher& enricher)
    : running_(options.running), state_(std::make_unique<State>(options, enricher)) {}
OpenTraces::~OpenTraces() = default;

SpanBatch OpenTraces::spans(const Arrival& arrival, SpanBatch rows) {
    State& state = *state_;
    if (running_.any())
        for (std::size_t row = 0; row < rows.size(); ++row) running_.ended(rows, row, arrival.now);
    const std::lock_guard lock(state.mutex);
    const std::uint32_t tenant = state.tenant_number(arrival.tenant);
    std::vector<std::uint8_t> repeated(rows.size());
    std::vector<Trace*> traces(rows.size());
    bool rebuild = false;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const TraceKey key{tenant, rows.trace_id[row]};
        Trace& trace = *(traces[row] = &state.open(key, arrival));
        const std::size_t before = trace.bytes();
        const State::News news = state.note(key, trace, rows, row, arrival);
        if (news != State::News::all) ++state.stats.repeated_spans;
        if (news == State::News::more) {
            ++state.stats.replaced_spans;
            for (std::size_t earlier = 0; earlier < row; ++earlier)
                if (traces[earlier] == &trace && rows.span_id[earlier] == rows.span_id[row])
                    repeated[earlier] = 1, rebuild = true;
        }
        if (news == State::News::none) {
            repeated[row] = 1;
        } else if (arrival.maybe_stored) {
            if (!trace.replayed) trace.replayed = std::make_unique<RowsBySpan>();
            trace.replayed->places.emplace(rows.span_id[row], trace.replayed->rows.size());
            append_content(trace.replayed->rows, rows, row);
        }
        state.news(key, trace, arrival.now);
        state.bytes += trace.bytes() - before;
        rebuild = rebuild || repeated[row] != 0 || trace.content != nullptr;
    }
    std::unordered_map<const Trace*, std::size_t> roots;
    for (std::size_t row = 0; row < rows.size(); ++row)
        if (repeated[row] == 0 && !traces[row]->root_ended)
            State::choose_root(*traces[row], rows, row,
                               roots.try_emplace(traces[row], rows.size()).first->second);
    if (!rebuild) return rows;
    SpanBatch kept;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (repeated[row] != 0) continue;
        append_row(kept, rows, row);
        Trace& trace = *traces[row];
        if (trace.content) state.take_waiting_content({tenant, rows.trace_id[row]}, trace, kept);
    }
    return kept;
}

void OpenTraces::running(const Arrival& arrival, const SpanBatch& rows) {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    const std::uint32_t tenant = state.tenant_number(arrival.tenant);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        const auto trace = state.traces.find({tenant, rows.trace_id[row]});
        const bool has_ended = trace != state.traces.end() && trace->second.has(rows.span_id[row]);
        if (!has_ended) running_.put(rows, row, arrival.seq, arrival.now);
    }
}

void OpenTraces::content(const Arrival& arrival, const SpanBatch& rows) {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    const std::uint32_t tenant = state.tenant_number(arrival.tenant);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        TraceKey key{tenant, rows.trace_id[row]};
        SpanId span = rows.span_id[row];
        if (span.is_zero()) {
            const Answers::Answered* found = state.answers.find(tenant, rows.response_id[row]);
            if (found == nullptr) {
                ++state.stats.unmatched_events;
                continue;
            }
            key = found->key;
            span = found->span;
        }
        Trace& trace = state.open(key, arrival);
        const Slot at = trace.find(span);
        const bool came = at != nowhere && trace.spans[at].present;
        if (came) ++state.stats.joined_events;
        if (came && !trace.spans[at].replayed) {
            state.join_later(tenant, trace.spans[at].ts, rows, row, key.trace, span);
        } else {
            const std::size_t before = trace.bytes();
            if (!trace.content) trace.content = std::make_unique<RowsBySpan>();
            trace.content->add(rows, row, span);
            if (came) state.rejoin_later(key, trace.spans[at]);
            state.bytes += trace.bytes() - before;
        }
        state.news(key, trace, arrival.now);
    }
}

OpenTraces::Due OpenTraces::due(UnixNanos now, Listing listing) {
    running_.forget_old(now);
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    state.list_settled = listing == Listing::settled;
    for (const auto& [key, span] : std::exchange(state.rejoins, {})) state.rejoin(key, span);
    state.wheel.turn(now, [&](const TraceKey& key) { state.look_at(key, now); });
    state.make_room();
    Due found;
    for (auto& [tenant, amendments] : state.amendments)
        if (!amendments.empty()) found.amendments.push_back(std::move(amendments));
    for (auto& [tenant, again] : state.again) found.again.push_back(std::move(again));
    for (auto& [tenant, join] : state.joins) found.joins.push_back(std::move(join));
    found.settled = std::exchange(state.settled_traces, {});
    state.amendments.clear();
    state.again.clear();
    state.joins.clear();
    return found;
}

std::vector<const ColumnInfo*> OpenTraces::settling_columns() {
    std::vector<const ColumnInfo*> columns;
    for (const std::string_view name :
         {"seq", "ts", "trace_id", "span_id", "parent_span_id", "kind", "is_root", "is_call", "prompt_tokens",
          "completion_tokens", "total_tokens", "total_cost", "rollup_prompt_tokens",
          "rollup_completion_tokens", "rollup_cost"})
        columns.push_back(find_column(TableId::spans, name));
    return columns;
}

void OpenTraces::settle_stored(const SpanBatch& rows, Amendments& changes) {
    std::unordered_map<TraceId, Trace> traces;
    for (std::size_t row = 0; row < rows.size(); ++row) note_stored(traces[rows.trace_id[row]], rows, row);
    for (auto& [id, trace] : traces) {
        settle_usage(id, trace, changes);
        const OpenSpan* first = trace.root_ended ? nullptr : root_of(trace);
        for (const OpenSpan& span : trace.spans) {
            if (!span.present) continue;
            const bool is_root = trace.root_ended ? span.parent.is_zero() : &span == first;
            if (is_root && !span.root) changes.to_root.push_back({span.ts, id, span.id});
            if (!is_root && span.root) changes.not_root.push_back({span.ts, id, span.id});
        }
    }
}

bool OpenTraces::full() const {
    const std::lock_guard lock(state_->mutex);
    return state_->bytes > state_->options.bytes;
}

std::optional<Sequence> OpenTraces::oldest() const {
    const std::lock_guard lock(state_->mutex);
    if (state_->first_seqs.empty()) return std::nullopt;
    return state_->first_seqs.begin()->first;
}

OpenTraces::Stats OpenTraces::stats() const {
    const std::lock_guard lock(state_->mutex);
    Stats shown = state_->stats;
    shown.bytes = state_->bytes;
    return shown;
}

}  // namespace obs
