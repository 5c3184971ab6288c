#include "ingest/open_trace.h"

#include <array>
#include <utility>

namespace obs {

namespace {

// Tools and other spans repeat usage too, but are never the only ones who know it.
bool may_own_rollup(const SpanBatch& rows, std::size_t row) {
    return rows.kind[row] == "agent" || rows.kind[row] == "chain";
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

}  // namespace

bool has_usage(const SpanBatch& rows, std::size_t row) {
    return rows.prompt_tokens[row] || rows.completion_tokens[row] || rows.total_tokens[row] ||
           rows.total_cost[row];
}

bool has_rollup(const SpanBatch& rows, std::size_t row) {
    return may_own_rollup(rows, row) &&
           (rows.rollup_prompt_tokens[row] || rows.rollup_completion_tokens[row] || rows.rollup_cost[row]);
}

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

}  // namespace obs
