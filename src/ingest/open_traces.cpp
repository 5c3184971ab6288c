#include "ingest/open_traces.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "enrich/enrich.h"
#include "ingest/open_trace.h"
#include "ingest/trace_tables.h"

namespace obs {

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
    constexpr std::string_view names[] = {"seq",
                                          "ts",
                                          "trace_id",
                                          "span_id",
                                          "parent_span_id",
                                          "kind",
                                          "is_root",
                                          "is_call",
                                          "prompt_tokens",
                                          "completion_tokens",
                                          "total_tokens",
                                          "total_cost",
                                          "rollup_prompt_tokens",
                                          "rollup_completion_tokens",
                                          "rollup_cost"};
    return find_columns(TableId::spans, names);
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
