#include "store/figures.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "store/aggregate.h"
#include "store/evaluate.h"
#include "store/field.h"
#include "store/span_store.h"

namespace obs {

namespace {

using Function = Aggregate::Function;

bool among(std::span<const std::string_view> names, const FieldRef& field) {
    return field.column != nullptr && std::ranges::find(names, field.column->name) != names.end();
}

constexpr std::string_view fine_groups[] = {"project_id",    "service_name", "provider", "model",
                                            "request_model", "environment",  "kind",     "status_code"};
constexpr std::string_view key_fields[] = {"user_id", "session_id", "tags", "error_code"};
constexpr std::string_view summed[] = {"prompt_tokens",       "completion_tokens",   "total_tokens",
                                       "cached_input_tokens", "cache_write_tokens",  "reasoning_tokens",
                                       "audio_input_tokens",  "audio_output_tokens", "image_input_tokens",
                                       "image_output_tokens", "prompt_cost",         "completion_cost",
                                       "total_cost"};
constexpr std::string_view timed[] = {"duration", "ttft"};

template <class Known>
bool only_fields(const Filter& filter, const Known& known) {
    if (filter.kind == Filter::Kind::condition)
        return filter.condition.op != Operator::search && known(filter.condition.field);
    return std::ranges::all_of(filter.children,
                               [&](const Filter& child) { return only_fields(child, known); });
}

bool knows_group(const FieldRef& field) {
    return among(fine_groups, field);
}

bool fine_can(const Aggregate& aggregate) {
    const FieldRef& field = aggregate.field;
    switch (aggregate.function) {
        case Function::count:
            return counted_field(aggregate) != nullptr || only_fields(aggregate.only, knows_group);
        case Function::sum:
        case Function::avg:
            return only_fields(aggregate.only, knows_group) && (among(summed, field) || among(timed, field));
        case Function::min:
        case Function::max: return only_fields(aggregate.only, knows_group) && among({{"duration"}}, field);
        case Function::quantile: return aggregate.only.always() && among(timed, field);
        case Function::distinct:
        case Function::values: return false;
    }
    return false;
}

bool keys_can(const Aggregate& aggregate, std::string_view key) {
    const ColumnInfo* counted = counted_field(aggregate);
    if (counted != nullptr && counted->type != ColumnType::duration) return true;
    if (!aggregate.only.always()) return false;
    switch (aggregate.function) {
        case Function::count: return true;
        case Function::sum:
        case Function::avg: return among(summed, aggregate.field);
        case Function::distinct: return among({&key, 1}, aggregate.field);
        default: return false;
    }
}

bool is_of_errors(const Filter& filter) {
    if (filter.kind == Filter::Kind::all) return std::ranges::any_of(filter.children, is_of_errors);
    return filter.kind == Filter::Kind::condition && filter.condition.op == Operator::eq &&
           among({{"status_code"}}, filter.condition.field) &&
           filter.condition.values == std::vector<Scalar>{std::int64_t{2}};
}

bool keys_answer(const FigureQuestion& question) {
    const ColumnInfo* column = rollup_key(question);
    if (column == nullptr) return false;
    const std::string_view key = column->name;
    // A row of several tags would count more than once.
    if (key == "tags" && question.group_by.empty()) return false;
    const bool of_errors = key == "error_code";
    if (of_errors && !is_of_errors(question.filter)) return false;
    const auto known = [&](const FieldRef& field) {
        return among({{"project_id"}}, field) || (key != "tags" && among({&key, 1}, field)) ||
               (of_errors && among({{"status_code"}}, field));
    };
    return only_fields(question.filter, known) &&
           std::ranges::all_of(question.aggregates, [&](const Aggregate& one) { return keys_can(one, key); });
}

bool is_list(const FieldRef& field) {
    return kind_of(field) == FieldKind::text_list;
}

Result<void> check_set(const FigureQuestion& question, const FigureQuestion::Set& set) {
    if (set.by_time && question.edges.size() < 2)
        return fail(ErrorKind::invalid_input, "figures by time need two edges");
    for (std::size_t at = 0; at < question.group_by.size(); ++at) {
        const bool there = std::ranges::find(set.groups, at) != set.groups.end();
        if (!there && is_list(question.group_by[at]))
            return fail(ErrorKind::invalid_input, "{} must be in every set",
                        field_name(question.group_by[at]));
    }
    const bool known =
        std::ranges::all_of(set.groups, [&](auto at) { return at < question.group_by.size(); });
    if (!known || !std::ranges::is_sorted(set.groups))
        return fail(ErrorKind::invalid_input, "a set names groups in their order");
    return {};
}

GroupQuestion of_rows(const FigureQuestion& question, const FigureQuestion::Set& set) {
    GroupQuestion rows(question.scope);
    rows.filter.also(
        Filter::where({{find_column(TableId::spans, "is_call")}, Operator::eq, {std::int64_t{1}}}));
    if (!question.filter.always()) rows.filter.also(question.filter);
    for (const std::size_t at : set.groups) rows.group_by.push_back(question.group_by[at]);
    rows.aggregates = question.aggregates;
    rows.up_to_seq = question.up_to_seq;
    rows.window = {question.pieces.front().from, question.pieces.back().to};
    rows.limit = question.limit;
    rows.budget = {.time = Nanos::seconds(25), .rows = UINT64_MAX};
    return rows;
}

Result<Table> by_time(SpanStore& store, const FigureQuestion& question, const FigureQuestion::Set& set,
                      const Cancel& cancel) {
    GroupQuestion rows = of_rows(question, set);
    const Window window = rows.window;
    Table all;
    for (std::size_t at = 0; at + 1 < question.edges.size(); ++at) {
        rows.window = {std::max(question.edges[at], *window.from),
                       std::min(question.edges[at + 1], *window.to)};
        if (*rows.window.from >= *rows.window.to) continue;
        // Without groups there is a row even of nothing, and rollups have none then.
        rows.group_by = {};
        rows.aggregates = {{.function = Function::count, .name = "rows"}};
        const Table count = OBS_TRY(store.groups(rows, cancel));
        rows = of_rows(question, set);
        rows.window = {std::max(question.edges[at], *window.from),
                       std::min(question.edges[at + 1], *window.to)};
        if (std::get<std::int64_t>(count.rows.at(0).at(0)) == 0) continue;
        Table table = OBS_TRY(store.groups(rows, cancel));
        all.columns = std::move(table.columns);
        for (std::vector<Cell>& row : table.rows) {
            row.insert(row.begin(), Cell(question.edges[at].since_epoch));
            all.rows.push_back(std::move(row));
        }
    }
    if (all.columns.empty()) {
        for (const std::size_t group : set.groups)
            all.columns.push_back(field_name(question.group_by[group]));
        for (const Aggregate& one : question.aggregates) all.columns.push_back(one.name);
    }
    all.columns.insert(all.columns.begin(), "bucket");
    return all;
}

// Empty cells behind all others, whatever the way.
std::partial_ordering compare_cells(const Cell& a, const Cell& b) {
    const bool no_a = a.index() == 0, no_b = b.index() == 0;
    if (no_a || no_b) return no_a <=> no_b;
    return a <=> b;
}

}  // namespace

const ColumnInfo* counted_field(const Aggregate& aggregate) {
    const Filter& only = aggregate.only;
    if (aggregate.function != Function::count || only.kind != Filter::Kind::condition) return nullptr;
    const auto& [field, op, values] = only.condition;
    if (op == Operator::present && among(summed, field)) return field.column;
    const bool of_zero = values.size() == 1 && values.front() == Scalar(std::int64_t{0});
    return op == Operator::gte && of_zero && among(timed, field) ? field.column : nullptr;
}

const ColumnInfo* rollup_key(const FigureQuestion& question) {
    std::vector<FieldRef> fields = question.group_by;
    for (const Aggregate& aggregate : question.aggregates)
        if (aggregate.function == Function::distinct) fields.push_back(aggregate.field);
    const ColumnInfo* key = nullptr;
    for (const FieldRef& field : fields) {
        if (among({{"project_id"}}, field)) continue;
        if (!among(key_fields, field) || (key != nullptr && key != field.column)) return nullptr;
        key = field.column;
    }
    return key;
}

bool rollups_answer(RollupLevel level, const FigureQuestion& question) {
    if (level != RollupLevel::minute && keys_answer(question)) return true;
    if (level == RollupLevel::day) return false;
    return only_fields(question.filter, knows_group) && std::ranges::all_of(question.group_by, knows_group) &&
           std::ranges::all_of(question.aggregates, fine_can);
}

Result<void> check(const FigureQuestion& question) {
    OBS_TRY(Matcher::compile(TableId::spans, question.filter));
    if (question.pieces.empty() || question.sets.empty())
        return fail(ErrorKind::invalid_input, "figures need a window and a set");
    for (std::size_t at = 0; at < question.pieces.size(); ++at) {
        const FigurePiece& piece = question.pieces[at];
        const bool joins = at == 0 || question.pieces[at - 1].to == piece.from;
        if (piece.from >= piece.to || !joins)
            return fail(ErrorKind::invalid_input, "the pieces of a window follow each other");
        if (piece.level && (bucket_of(*piece.level, piece.from).start != piece.from ||
                            bucket_of(*piece.level, piece.to).start != piece.to))
            return fail(ErrorKind::invalid_input, "a piece of rollups has whole buckets");
        if (piece.level && !rollups_answer(*piece.level, question))
            return fail(ErrorKind::invalid_input, "rollups do not know what the question asks for");
    }
    for (const FigureQuestion::Set& set : question.sets) {
        OBS_TRY_VOID(check_set(question, set));
        const GroupQuestion rows = of_rows(question, set);
        OBS_TRY(Grouping::start(rows));
    }
    return {};
}

UnixNanos bucket_start(std::span<const UnixNanos> edges, UnixNanos at) {
    const auto next = std::ranges::upper_bound(edges, at);
    return next == edges.begin() ? edges.front() : *std::prev(next);
}

void order_figures(Table& table, const FigureQuestion& question, const FigureQuestion::Set& set) {
    const std::size_t keys = set.groups.size() + (set.by_time ? 1 : 0);
    std::optional<std::size_t> by;
    if (!set.by_time)
        for (std::size_t at = 0; at < question.aggregates.size(); ++at)
            if (!question.order_by.empty() && question.aggregates[at].name == question.order_by)
                by = keys + at;
    std::ranges::sort(table.rows, [&](const auto& a, const auto& b) {
        if (by) {
            if ((a[*by].index() == 0) != (b[*by].index() == 0)) return b[*by].index() == 0;
            const auto way = compare_cells(a[*by], b[*by]);
            if (way != 0) return question.descending ? way > 0 : way < 0;
        }
        for (std::size_t at = 0; at < keys; ++at)
            if (const auto way = compare_cells(a[at], b[at]); way != 0) return way < 0;
        return false;
    });
    if (table.rows.size() > question.limit) table.rows.resize(question.limit);
}

Result<FigureTables> figures_of_rows(SpanStore& store, const FigureQuestion& question, const Cancel& cancel) {
    OBS_TRY_VOID(check(question));
    FigureTables answer;
    for (const FigureQuestion::Set& set : question.sets) {
        if (set.by_time) {
            Table table = OBS_TRY(by_time(store, question, set, cancel));
            order_figures(table, question, set);
            answer.sets.push_back(std::move(table));
            continue;
        }
        GroupQuestion rows = of_rows(question, set);
        rows.order_by = question.order_by;
        rows.descending = question.descending;
        answer.sets.push_back(OBS_TRY(store.groups(rows, cancel)));
    }
    return answer;
}

}  // namespace obs
