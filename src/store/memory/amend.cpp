#include "store/memory/amend.h"

namespace obs::memory {

namespace {

template <class T>
void move_value(Optional<T>& from, Optional<T>& to, std::size_t row) {
    if (!from[row]) return;  // done before, or nothing to move
    to.set(row, from[row]);
    from.set(row, std::nullopt);
}

template <class T>
void drop_value(Optional<T>& column, std::size_t row) {
    if (column[row]) column.set(row, std::nullopt);
}

void drop_details(SpanBatch& spans, std::size_t row) {
    for (column::OptTokens* tokens :
         {&spans.total_tokens, &spans.cached_input_tokens, &spans.cache_write_tokens, &spans.reasoning_tokens,
          &spans.audio_input_tokens, &spans.audio_output_tokens, &spans.image_input_tokens,
          &spans.image_output_tokens})
        drop_value(*tokens, row);
    drop_value(spans.prompt_cost, row);
    drop_value(spans.completion_cost, row);
}

void make_rollup(SpanBatch& spans, std::size_t row) {
    move_value(spans.prompt_tokens, spans.rollup_prompt_tokens, row);
    move_value(spans.completion_tokens, spans.rollup_completion_tokens, row);
    move_value(spans.total_cost, spans.rollup_cost, row);
    drop_details(spans, row);
    spans.is_call.set(row, 0);
}

void make_own(SpanBatch& spans, std::size_t row) {
    const bool tokens = spans.rollup_prompt_tokens[row] || spans.rollup_completion_tokens[row];
    move_value(spans.rollup_prompt_tokens, spans.prompt_tokens, row);
    move_value(spans.rollup_completion_tokens, spans.completion_tokens, row);
    move_value(spans.rollup_cost, spans.total_cost, row);
    if (tokens)
        spans.total_tokens.set(row, spans.prompt_tokens[row].value_or(Tokens{}) +
                                        spans.completion_tokens[row].value_or(Tokens{}));
    spans.is_call.set(row, 1);
}

void price_anew(SpanBatch& spans, std::size_t row, const SpanBatch& costs, std::size_t from) {
    spans.prompt_cost.set(row, costs.prompt_cost[from]);
    spans.completion_cost.set(row, costs.completion_cost[from]);
    spans.total_cost.set(row, costs.total_cost[from]);
    spans.cost_source.set(row, costs.cost_source[from]);
    spans.price_rule.set(row, costs.price_rule[from]);
}

}  // namespace

AnyBatch changed(std::span<const RowRef> rows, std::span<const Change> changes,
                 const Amendments& amendments) {
    const AnyBatch replacement = amendments.content;
    AnyBatch made = assemble(TableId::spans, rows.size(), [&](const ColumnInfo& column, std::size_t out) {
        const std::optional<std::uint32_t> from = changes[out].content;
        return from && column.comes_with_content() ? RowRef{&replacement, *from} : rows[out];
    });
    SpanBatch& spans = std::get<SpanBatch>(made);
    for (std::size_t row = 0; row < rows.size(); ++row) {
        for (const std::uint32_t costs : changes[row].costs)
            if (amendments.costs.seq[costs] == spans.seq[row] && spans.is_call[row] != 0)
                price_anew(spans, row, amendments.costs, costs);
        if (changes[row].to_rollup) make_rollup(spans, row);
        if (changes[row].to_own) make_own(spans, row);
        if (changes[row].to_root) spans.is_root.set(row, 1);
        if (changes[row].not_root) spans.is_root.set(row, 0);
        spans.amended_seq.set(row, amendments.seq);
    }
    return sorted(made);
}

AnyBatch without_content(TableId table, std::span<const RowRef> rows) {
    return assemble(table, rows.size(),
                    [&](const ColumnInfo& column, std::size_t out) -> std::optional<RowRef> {
                        if (column.has(content) || (column.has(with_content) && column.optional))
                            return std::nullopt;
                        return rows[out];
                    });
}

}  // namespace obs::memory
