#include "query/traces.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "query/asked.h"
#include "query/condition.h"
#include "query/row_value.h"

namespace obs::query {

namespace {

const ColumnInfo* column(std::string_view name, TableId table = TableId::spans) {
    return find_column(table, name);
}

template <std::size_t N, class Tag>
Scalar raw(const RawId<N, Tag>& id) {
    std::string bytes(N, '\0');
    std::memcpy(bytes.data(), id.bytes.data(), N);
    return bytes;
}

Filter of_trace(TraceId trace, TableId table = TableId::spans) {
    return Filter::where({{column("trace_id", table)}, Operator::eq, {raw(trace)}});
}

Filter any_of(std::span<const TraceId> traces) {
    Condition asked{{column("trace_id")}, Operator::in, {}};
    for (const TraceId trace : traces) asked.values.push_back(raw(trace));
    return Filter::where(std::move(asked));
}

// The traces of the first `count` rows, each once.
Filter of_traces(const SpanBatch& rows, std::size_t count, TableId table = TableId::spans) {
    std::unordered_set<TraceId> seen;
    Condition asked{{column("trace_id", table)}, Operator::in, {}};
    for (std::size_t row = 0; row < count; ++row)
        if (seen.insert(rows.trace_id[row]).second) asked.values.push_back(raw(rows.trace_id[row]));
    return Filter::where(std::move(asked));
}

bool newest_first(const std::vector<Order>& order) {
    return order.empty() || (order.front().field.column == column("ts") && order.front().descending);
}

bool may_change(const std::vector<Order>& order) {
    return std::ranges::any_of(order, [](const Order& by) { return by.field.column->has(amendable); });
}

Window smaller(Window window, std::optional<UnixNanos> from, std::optional<UnixNanos> to) {
    if (from) window.from = std::max(window.from.value_or(*from), *from);
    if (to) window.to = std::min(window.to.value_or(*to), *to);
    return window;
}

RowQuestion row_question(const ListQuestion& question, std::uint64_t seq) {
    RowQuestion rows(question.scope);
    if (Filter view = filter_of(question.view); !view.always()) rows.filter.also(std::move(view));
    if (!question.filter.always()) rows.filter.also(question.filter);
    rows.window = narrowed(question.window, question.filter);
    rows.columns = question.columns;
    // The store's own order is newest first.
    if (!newest_first(question.order) || question.order.size() > 1) rows.order = question.order;
    rows.limit = question.limit + 1;
    rows.up_to_seq = seq;
    if (!question.cursor) return rows;
    rows.window = smaller(rows.window, question.cursor->floor, question.cursor->to);
    rows.after = question.cursor->after;
    if (rows.after && rows.order.empty()) rows.after->values.clear();
    return rows;
}

// In another order than that of the scan, a page may only end where a scan ended: the first page of a segment
// fixes its floor, and the pages behind it look as far.
constexpr ScanBudget whole_segment{.time = Nanos::seconds(25), .rows = UINT64_MAX};

std::optional<Cursor> next_cursor(const ListQuestion& question, const Rows& answer, std::uint64_t seq,
                                  bool more_here) {
    const SpanBatch& rows = std::get<SpanBatch>(answer.batch);
    Cursor next{.question = question.fingerprint, .seq = seq, .now = question.now};
    if (question.cursor) {
        next.to = question.cursor->to;
        next.floor = question.cursor->floor;
    }
    if (more_here) {
        next.after = position_of(rows, question.limit - 1, question.order);
        if (answer.scanned_to && !newest_first(question.order)) next.floor = answer.scanned_to;
        return next;
    }
    const auto end = answer.scanned_to ? answer.scanned_to : next.floor;
    if (!end) return std::nullopt;
    next.to = end;
    next.floor.reset();
    return next;
}

std::int64_t integer_in(const Cell& cell) {
    const auto* value = std::get_if<std::int64_t>(&cell);
    return value == nullptr ? 0 : *value;
}

TraceTotals totals_in(const std::vector<Cell>& row) {
    TraceTotals totals{.spans = integer_in(row[1]), .errors = integer_in(row[2])};
    totals.duration = UnixNanos{integer_in(row[4])} - UnixNanos{integer_in(row[3])};
    if (const auto* tokens = std::get_if<std::int64_t>(&row[5])) totals.tokens = Tokens{*tokens};
    if (const auto* cost = std::get_if<std::int64_t>(&row[6])) totals.cost = Usd{*cost};
    if (const auto* models = std::get_if<std::vector<std::string>>(&row[7])) totals.models = *models;
    return totals;
}

GroupQuestion totals_question(const Scope& scope, Filter traces) {
    using Function = Aggregate::Function;
    const FieldRef status{column("status_code")}, ts{column("ts")}, model{column("model")};
    GroupQuestion question(scope);
    question.filter = std::move(traces);
    question.group_by = {{column("trace_id")}};
    question.aggregates = {
        {.function = Function::count, .name = "spans"},
        {.function = Function::count,
         .only = Filter::where({status, Operator::eq, {std::int64_t{2}}}),
         .name = "errors"},
        {.function = Function::min, .field = ts, .name = "start"},
        {.function = Function::max, .field = {nullptr, {}, Derived::end}, .name = "end"},
        {.function = Function::sum, .field = {column("total_tokens")}, .name = "tokens"},
        {.function = Function::sum, .field = {column("total_cost")}, .name = "cost"},
        {.function = Function::values,
         .field = model,
         .only = Filter::where({model, Operator::present}),
         .name = "models"},
    };
    return question;
}

template <class T>
void add(std::optional<T>& sum, const std::optional<T>& more) {
    if (more) sum = sum.value_or(T{}) + *more;
}

TraceTotals totals_of(const SpanBatch& spans) {
    TraceTotals totals;
    UnixNanos start = spans.ts[0], end = spans.ts[0];
    std::set<std::string_view> models;
    for (std::size_t row = 0; row < spans.size(); ++row) {
        ++totals.spans;
        if (spans.status_code[row] == 2) ++totals.errors;
        start = std::min(start, spans.ts[row]);
        end = std::max({end, spans.ts[row], spans.ts[row] + spans.duration[row]});
        add(totals.tokens, spans.total_tokens[row]);
        add(totals.cost, spans.total_cost[row]);
        if (!spans.model[row].empty()) models.insert(spans.model[row]);
    }
    totals.duration = end - start;
    totals.models.assign(models.begin(), models.end());
    return totals;
}

// A root before all others, then the earliest.
std::size_t row_to_show(const SpanBatch& spans) {
    const auto rank = [&](std::size_t row) {
        return std::tuple(!spans.parent_span_id[row].is_zero(), spans.is_root[row] == 0, spans.ts[row]);
    };
    std::size_t best = 0;
    for (std::size_t row = 1; row < spans.size(); ++row)
        if (rank(row) < rank(best)) best = row;
    return best;
}

std::size_t content_size(const Text& text, std::size_t row) {
    return text[row].size();
}
template <class Column>
std::size_t content_size(const Column&, std::size_t) {
    return 0;
}

// Whether a text may have been longer: a cut leaves out at most the three bytes of a character that did not
// fit.
bool has_cut_content(const SpanBatch& spans, std::size_t limit) {
    bool cut = false;
    spans.for_each_column([&](const ColumnInfo& info, const auto& column) {
        if (!info.has(content)) return;
        for (std::size_t row = 0; row < spans.size(); ++row)
            cut = cut || content_size(column, row) + 3 >= limit;
    });
    return cut;
}

// What the tree and the totals need, whatever the client wants to see.
std::vector<const ColumnInfo*> with_needed(std::vector<const ColumnInfo*> columns,
                                           std::initializer_list<std::string_view> names) {
    if (columns.empty()) return columns;
    for (const std::string_view name : names)
        if (std::ranges::count(columns, column(name)) == 0) columns.push_back(column(name));
    return columns;
}

}  // namespace

std::optional<View> view_from(std::string_view word) {
    if (word == "calls") return View::calls;
    if (word == "roots") return View::roots;
    if (word == "spans") return View::spans;
    return std::nullopt;
}

Filter filter_of(View view) {
    const std::int64_t yes = 1;
    switch (view) {
        case View::calls: return Filter::where({{column("is_call")}, Operator::eq, {yes}});
        case View::roots: return Filter::where({{column("is_root")}, Operator::eq, {yes}});
        case View::spans: break;
    }
    return {};
}

std::vector<const ColumnInfo*> shown_columns(TableId table, Content wanted) {
    std::vector<const ColumnInfo*> columns;
    for (const ColumnInfo& one : columns_of(table))
        if (!one.has(internal) && (wanted == Content::shown || !shows_content(one))) columns.push_back(&one);
    return columns;
}

Result<std::vector<TraceTotals>> totals_of(SpanStore& store, const Scope& scope,
                                           std::span<const TraceId> traces, const Cancel& cancel) {
    const Table table = OBS_TRY(asked(store.groups(totals_question(scope, any_of(traces)), cancel)));
    std::unordered_map<std::string, TraceTotals> by_trace;
    for (const std::vector<Cell>& row : table.rows)
        by_trace.emplace(std::get<std::string>(row.front()), totals_in(row));
    std::vector<TraceTotals> totals;
    for (const TraceId trace : traces) totals.push_back(by_trace[std::get<std::string>(raw(trace))]);
    return totals;
}

Result<void> refuse_if_amended(SpanStore& store, const RowQuestion& asked_rows, const Cancel& cancel) {
    RowQuestion later = asked_rows;
    later.filter = Filter{};
    later.filter.also(asked_rows.filter);
    later.filter.also(Filter::where(
        {{column("amended_seq")}, Operator::gt, {static_cast<std::int64_t>(*asked_rows.up_to_seq)}}));
    later.after.reset();
    later.order.clear();
    later.columns = {column("ts")};
    later.limit = 1;
    const Rows changed = OBS_TRY(asked(store.rows(later, cancel)));
    if (size_of(changed.batch) == 0) return {};
    return std::unexpected(
        Error{ErrorKind::invalid_input,
              "Invalid cursor: rows changed their place in this order since the first page; ask "
              "without it to start again",
              "cursor"});
}

Result<ListPage> Traces::list(const ListQuestion& question, const Cancel& cancel) const {
    const std::uint64_t seq = question.cursor ? question.cursor->seq : live_.visible_seq();
    RowQuestion rows = row_question(question, seq);
    rows.content_bytes = list_text(question.limit);
    ListPage page;
    if (rows.window.from && rows.window.to && *rows.window.from >= *rows.window.to) return page;
    const bool in_segment = question.cursor && question.cursor->floor;
    if (in_segment) rows.budget = whole_segment;
    Rows answer = OBS_TRY(asked(store_.rows(rows, cancel)));
    if (in_segment && answer.scanned_to)
        return fail(ErrorKind::cancelled,
                    "too many rows to sort in time; narrow the question with from and to");
    // After the rows were read: what changes from now on is not in them.
    if (question.cursor && may_change(question.order)) OBS_TRY_VOID(refuse_if_amended(store_, rows, cancel));
    const std::size_t found = size_of(answer.batch);
    page.count = std::min(found, question.limit);
    page.scanned_to = answer.scanned_to;
    if (const auto next = next_cursor(question, answer, seq, found > question.limit))
        page.cursor = to_text(*next, question.order);
    page.rows = std::move(std::get<SpanBatch>(answer.batch));
    page.content_cut = has_cut_content(page.rows, *rows.content_bytes);
    if (page.count == 0) return page;
    if (question.view == View::roots) OBS_TRY_VOID(add_totals(page, question.scope, cancel));
    if (question.include.children) OBS_TRY_VOID(add_family(page, question, cancel));
    if (question.include.evaluations || question.include.feedback)
        page.scores = OBS_TRY(scores_of(question.scope, of_traces(page.rows, page.count, TableId::scores),
                                        question.include, cancel));
    return page;
}

std::size_t Traces::list_text(std::size_t rows) const {
    constexpr std::size_t texts_of_a_row = 6;
    return std::clamp(limits_.list_bytes / rows / texts_of_a_row, limits_.list_text_least,
                      limits_.list_text_most);
}

Result<void> Traces::add_totals(ListPage& page, const Scope& scope, const Cancel& cancel) const {
    std::vector<TraceId> traces;
    for (std::size_t row = 0; row < page.count; ++row) traces.push_back(page.rows.trace_id[row]);
    page.totals = OBS_TRY(totals_of(store_, scope, traces, cancel));
    return {};
}

Result<void> Traces::add_family(ListPage& page, const ListQuestion& question, const Cancel& cancel) const {
    RowQuestion rows(question.scope);
    rows.filter = of_traces(page.rows, page.count);
    rows.columns = with_needed(question.columns, {"parent_span_id"});
    rows.limit = limits_.family_spans + 1;
    rows.content_bytes = limits_.family_text;
    Rows family = OBS_TRY(asked(store_.rows(rows, cancel)));
    if (size_of(family.batch) > limits_.family_spans)
        return std::unexpected(Error{
            ErrorKind::invalid_input,
            fmt::format(
                "the traces of this page have more than {} spans: ask for fewer rows or without children",
                limits_.family_spans),
            "include"});
    page.family = std::move(std::get<SpanBatch>(family.batch));
    page.content_cut = page.content_cut || has_cut_content(page.family, limits_.family_text);
    return {};
}

Result<ScoreBatch> Traces::scores_of(const Scope& scope, Filter traces, Include include,
                                     const Cancel& cancel) const {
    if (!include.evaluations && !include.feedback) return ScoreBatch{};
    RowQuestion rows(scope);
    rows.table = TableId::scores;
    rows.filter = std::move(traces);
    rows.limit = limits_.scores;
    Rows scores = OBS_TRY(asked(store_.rows(rows, cancel)));
    return std::move(std::get<ScoreBatch>(scores.batch));
}

Result<std::optional<OneTrace>> Traces::one(const Scope& scope, TraceId trace,
                                            const std::vector<const ColumnInfo*>& columns, Include include,
                                            const Cancel& cancel) const {
    OneTrace found;
    const auto wanted = with_needed(columns, {"parent_span_id", "is_root", "duration", "status_code", "model",
                                              "total_tokens", "total_cost"});
    if (include.children)
        OBS_TRY_VOID(gather(found, scope, trace, wanted, cancel));
    else
        found.spans = OBS_TRY(root_of(scope, trace, wanted, cancel));
    found.running.resize(found.spans.size(), false);
    if (include.children || found.spans.empty()) add_running(found, scope, trace);
    if (found.spans.empty()) return std::nullopt;
    found.shown = row_to_show(found.spans);
    if (include.children) found.totals = totals_of(found.spans);
    found.scores = OBS_TRY(scores_of(scope, of_trace(trace, TableId::scores), include, cancel));
    return found;
}

Result<SomeSpans> Traces::some(const Scope& scope, TraceId trace, std::span<const SpanId> ids,
                               const std::vector<const ColumnInfo*>& columns, Include include,
                               const Cancel& cancel) const {
    Condition named{{column("span_id")}, Operator::in, {}};
    for (const SpanId id : ids) named.values.push_back(raw(id));
    RowQuestion rows(scope);
    rows.filter.also(of_trace(trace));
    rows.filter.also(Filter::where(std::move(named)));
    rows.columns = with_needed(columns, {"duration"});
    rows.order = {{{column("ts")}, false}};
    rows.limit = ids.size();
    if (ids.size() > 1) rows.content_bytes = list_text(ids.size());
    Rows found = OBS_TRY(asked(store_.rows(rows, cancel)));
    SomeSpans some{.spans = std::move(std::get<SpanBatch>(found.batch))};
    some.content_cut = rows.content_bytes && has_cut_content(some.spans, *rows.content_bytes);
    some.running.resize(some.spans.size(), false);
    const SpanBatch running = live_.running(scope, trace).spans;
    for (std::size_t row = 0; row < running.size(); ++row) {
        const auto is_it = [&](SpanId id) { return id == running.span_id[row]; };
        bool stored = false;
        for (std::size_t at = 0; at < some.spans.size(); ++at)
            stored = stored || is_it(some.spans.span_id[at]);
        if (stored || std::ranges::none_of(ids, is_it)) continue;
        append_row(some.spans, running, row);
        some.running.push_back(true);
    }
    if (!some.spans.empty())
        some.scores = OBS_TRY(scores_of(scope, of_trace(trace, TableId::scores), include, cancel));
    return some;
}

Result<SpanBatch> Traces::root_of(const Scope& scope, TraceId trace,
                                  const std::vector<const ColumnInfo*>& columns, const Cancel& cancel) const {
    RowQuestion rows(scope);
    rows.filter = of_trace(trace);
    rows.columns = columns;
    rows.order = {{{column("is_root")}, true}, {{column("ts")}, false}};
    rows.limit = 1;
    Rows root = OBS_TRY(asked(store_.rows(rows, cancel)));
    return std::move(std::get<SpanBatch>(root.batch));
}

Result<void> Traces::gather(OneTrace& found, const Scope& scope, TraceId trace,
                            const std::vector<const ColumnInfo*>& columns, const Cancel& cancel) const {
    RowQuestion rows(scope);
    rows.filter = of_trace(trace);
    rows.columns = columns;
    rows.limit = 0;
    const auto collect = [&] {
        std::size_t bytes = 0;
        found.spans = {};
        return asked(store_.stream(
            rows,
            [&](AnyBatch piece) {
                bytes += bytes_of(piece);
                if (bytes > limits_.tree_bytes && !rows.content_bytes) {
                    found.content_cut = true;
                    return false;
                }
                const SpanBatch& spans = std::get<SpanBatch>(piece);
                if (found.spans.size() + spans.size() <= limits_.tree_spans) {
                    append_rows(found.spans, spans);
                    return true;
                }
                for (std::size_t row = 0; found.spans.size() < limits_.tree_spans; ++row)
                    append_row(found.spans, spans, row);
                found.spans_cut = true;
                return false;
            },
            cancel));
    };
    OBS_TRY_VOID(collect());
    if (!found.content_cut) return {};
    found.spans_cut = false;
    rows.content_bytes = limits_.cut_bytes;
    return collect();
}

void Traces::add_running(OneTrace& found, const Scope& scope, TraceId trace) const {
    const auto [running, news] = live_.running(scope, trace);
    std::unordered_set<SpanId> stored;
    for (std::size_t row = 0; row < found.spans.size(); ++row) stored.insert(found.spans.span_id[row]);
    for (std::size_t row = 0; row < running.size(); ++row) {
        if (!stored.insert(running.span_id[row]).second) continue;
        append_row(found.spans, running, row);
        found.running.push_back(true);
        found.news = std::max(found.news, news[row]);
    }
}

}  // namespace obs::query
