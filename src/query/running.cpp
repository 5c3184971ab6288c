#include "query/running.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "query/asked.h"

namespace obs::query {

namespace {

// More are counted, and not looked up in the store.
constexpr std::size_t looked_up = 2'000;

struct SpanHash {
    std::size_t operator()(const std::pair<TraceId, SpanId>& span) const {
        return std::hash<TraceId>()(span.first) ^ std::hash<SpanId>()(span.second);
    }
};
using Spans = std::unordered_set<std::pair<TraceId, SpanId>, SpanHash>;

// Which of these rows the store has.
Result<Spans> stored(SpanStore& store, const Scope& scope, const SpanBatch& spans,
                     std::span<const std::size_t> rows, const Cancel& cancel) {
    if (rows.empty()) return Spans{};
    RowQuestion question(scope);
    Condition traces{{find_column(TableId::spans, "trace_id")}, Operator::in, {}};
    Condition ids{{find_column(TableId::spans, "span_id")}, Operator::in, {}};
    for (const std::size_t row : rows) {
        const UnixNanos ts = spans.ts[row];
        traces.values.emplace_back(std::string(spans.trace_id[row].raw()));
        ids.values.emplace_back(std::string(spans.span_id[row].raw()));
        question.window.from = std::min(question.window.from.value_or(ts), ts);
        question.window.to = std::max(question.window.to.value_or(ts), ts + Nanos{1});
    }
    question.filter.also(Filter::where(std::move(traces)));
    question.filter.also(Filter::where(std::move(ids)));
    question.columns = {find_column(TableId::spans, "trace_id"), find_column(TableId::spans, "span_id")};
    question.limit = rows.size();
    const Rows answer = OBS_TRY(asked(store.rows(question, cancel)));
    const SpanBatch& found = std::get<SpanBatch>(answer.batch);
    Spans known;
    for (std::size_t row = 0; row < found.size(); ++row)
        known.emplace(found.trace_id[row], found.span_id[row]);
    return known;
}

}  // namespace

Result<RunningList> running_spans(SpanStore& store, const LiveData& live, const Scope& scope,
                                  std::size_t limit, const Cancel& cancel) {
    const auto [spans, news] = live.running(scope, std::nullopt);
    std::vector<std::size_t> order(spans.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater{}, [&](std::size_t row) { return news[row]; });
    const std::span<const std::size_t> first = std::span(order).first(std::min(order.size(), looked_up));
    const Spans ended = OBS_TRY(stored(store, scope, spans, first, cancel));
    RunningList list;
    list.total = order.size();
    for (const std::size_t row : first) {
        if (ended.contains({spans.trace_id[row], spans.span_id[row]})) {
            --list.total;
        } else if (list.spans.size() < limit) {
            append_row(list.spans, spans, row);
            list.news.push_back(news[row]);
        }
    }
    return list;
}

}  // namespace obs::query
