#include "query/metrics.h"

#include <algorithm>
#include <array>
#include <utility>

namespace obs::query {

using Function = Aggregate::Function;

struct MetricInfo {
    enum class Kind : std::uint8_t {
        requests,
        errors,
        successes,
        error_rate,
        success_rate,
        throughput,
        distinct,
        value,
    };
    std::string_view name;
    Kind kind;
    std::string_view column{};
    std::string_view usual{};  // aggregation of values
};

namespace {

using Kind = MetricInfo::Kind;

constexpr MetricInfo infos[] = {
    {"request_count", Kind::requests},
    {"duration", Kind::value, "duration", "avg"},
    {"total_cost", Kind::value, "total_cost", "sum"},
    {"prompt_cost", Kind::value, "prompt_cost", "sum"},
    {"completion_cost", Kind::value, "completion_cost", "sum"},
    {"total_tokens", Kind::value, "total_tokens", "sum"},
    {"prompt_tokens", Kind::value, "prompt_tokens", "sum"},
    {"completion_tokens", Kind::value, "completion_tokens", "sum"},
    {"error_count", Kind::errors},
    {"success_count", Kind::successes},
    {"error_rate", Kind::error_rate},
    {"success_rate", Kind::success_rate},
    {"throughput", Kind::throughput},
    {"time_to_first_token", Kind::value, "ttft", "avg"},
    {"unique_users", Kind::distinct, "user_id"},
    {"unique_sessions", Kind::distinct, "session_id"},
};
constexpr auto names = [] {
    std::array<std::string_view, std::size(infos)> all{};
    for (std::size_t at = 0; at < all.size(); ++at) all[at] = infos[at].name;
    return all;
}();

constexpr std::string_view aggregations[] = {"avg", "sum", "min", "max", "count", "p50", "p90", "p95", "p99"};

double level_of(std::string_view percentile) {
    return (percentile[1] - '0') / 10.0 + (percentile[2] - '0') / 100.0;
}

std::string_view aggregation_of(const MetricColumn& column) {
    return column.aggregation.empty() ? column.metric->usual : column.aggregation;
}

// The figure of a value under its name in the answer of the store.
Aggregate aggregate_of_value(const MetricColumn& column) {
    const std::string_view how = aggregation_of(column);
    const std::string_view field = column.metric->column;
    std::string name = fmt::format("{} {}", how, field);
    if (how == "count") return count_with(field, std::move(name));
    if (how.front() == 'p') return quantile_of(field, level_of(how), std::move(name));
    const Function function = how == "avg"   ? Function::avg
                              : how == "sum" ? Function::sum
                              : how == "min" ? Function::min
                                             : Function::max;
    return query::aggregate_of(function, field, std::move(name));
}

std::string distinct_name(const MetricInfo& metric) {
    return fmt::format("distinct {}", metric.column);
}

std::vector<Aggregate> aggregates_for(std::span<const MetricColumn> columns) {
    std::vector<Aggregate> all = {count_of_calls(), count_of_errors()};
    const auto add = [&](Aggregate aggregate) {
        if (std::ranges::find(all, aggregate.name, &Aggregate::name) == all.end())
            all.push_back(std::move(aggregate));
    };
    for (const MetricColumn& column : columns) {
        if (column.metric->kind == Kind::value) add(aggregate_of_value(column));
        if (column.metric->kind == Kind::distinct)
            add(query::aggregate_of(Function::distinct, column.metric->column,
                                    distinct_name(*column.metric)));
    }
    return all;
}

MetricValue value_in(const FigureTable& table, std::size_t row, const MetricColumn& column) {
    const Aggregate aggregate = aggregate_of_value(column);
    if (aggregate.function == Function::count) return table.count(row, aggregate.name);
    const ColumnType type = find_column(TableId::spans, column.metric->column)->type;
    const auto whole = table.integer(row, aggregate.name);
    const auto number = table.number(row, aggregate.name);
    if (!number) return {};
    if (type == ColumnType::duration) return *number / 1e6;
    if (type == ColumnType::usd) return whole ? MetricValue(Usd{*whole}) : MetricValue(*number / 1e9);
    return whole ? MetricValue(*whole) : MetricValue(*number);
}

MetricValue metric_in(const FigureTable& table, std::size_t row, const MetricColumn& column, double seconds) {
    const std::int64_t calls = table.count(row, "calls"), errors = table.count(row, "errors");
    const auto rate = [&](std::int64_t part) {
        return calls == 0 ? MetricValue()
                          : MetricValue(static_cast<double>(part) / static_cast<double>(calls));
    };
    switch (column.metric->kind) {
        case Kind::requests: return calls;
        case Kind::errors: return errors;
        case Kind::successes: return calls - errors;
        case Kind::error_rate: return rate(errors);
        case Kind::success_rate: return rate(calls - errors);
        case Kind::throughput:
            return seconds > 0 ? MetricValue(static_cast<double>(calls) / seconds) : MetricValue();
        case Kind::distinct: return table.count(row, distinct_name(*column.metric));
        case Kind::value: return value_in(table, row, column);
    }
    return {};
}

// Of a step without calls.
MetricValue nothing_in(const MetricColumn& column) {
    switch (column.metric->kind) {
        case Kind::requests:
        case Kind::errors:
        case Kind::successes:
        case Kind::distinct: return std::int64_t{0};
        case Kind::throughput: return 0.0;
        case Kind::error_rate:
        case Kind::success_rate: return {};
        case Kind::value: break;
    }
    const std::string_view how = aggregation_of(column);
    if (how == "count") return std::int64_t{0};
    if (how != "sum") return {};
    switch (find_column(TableId::spans, column.metric->column)->type) {
        case ColumnType::usd: return Usd{};
        case ColumnType::duration: return 0.0;
        default: return std::int64_t{0};
    }
}

double seconds_of(const MetricQuestion& asked, UnixNanos from, UnixNanos to) {
    return static_cast<double>((std::min(to, asked.to) - std::max(from, asked.from)).count) / 1e9;
}

std::vector<MetricRow> rows_in(const Table& cells, const MetricQuestion& asked,
                               std::span<const UnixNanos> edges) {
    const FigureTable table(cells);
    std::vector<MetricRow> rows;
    for (std::size_t row = 0; row < table.size(); ++row) {
        MetricRow& made = rows.emplace_back();
        UnixNanos from = asked.from, to = asked.to;
        if (asked.interval) {
            from = table.bucket(row);
            made.at = from;
            to = *std::ranges::upper_bound(edges, from);
        }
        for (std::size_t at = 0; at < asked.group_by.size(); ++at)
            made.groups.push_back(
                group_text(asked.group_by[at].field, table.cell(row, at + (asked.interval ? 1 : 0))));
        for (const MetricColumn& column : asked.columns)
            made.values.push_back(metric_in(table, row, column, seconds_of(asked, from, to)));
    }
    return rows;
}

void fill_gaps(std::vector<MetricRow>& rows, const MetricQuestion& asked, std::span<const UnixNanos> edges) {
    std::vector<MetricRow> all;
    auto known = rows.begin();
    for (std::size_t at = 0; at + 1 < edges.size(); ++at) {
        if (known != rows.end() && known->at == edges[at]) {
            all.push_back(std::move(*known++));
            continue;
        }
        MetricRow& empty = all.emplace_back();
        empty.at = edges[at];
        for (const MetricColumn& column : asked.columns) empty.values.push_back(nothing_in(column));
    }
    rows = std::move(all);
}

}  // namespace

const MetricInfo* metric_named(std::string_view name) {
    const auto* found = std::ranges::find(infos, name, &MetricInfo::name);
    return found == std::end(infos) ? nullptr : found;
}

std::string_view name_of(const MetricInfo& metric) {
    return metric.name;
}

std::span<const std::string_view> metric_names() {
    return names;
}

std::string_view aggregation_from(std::string_view word) {
    if (word == "average") word = "avg";
    if (word == "total") word = "sum";
    if (word == "median") word = "p50";
    const auto* found = std::ranges::find(aggregations, word);
    return found == std::end(aggregations) ? std::string_view() : *found;
}

bool MetricColumn::fits() const {
    switch (metric->kind) {
        case Kind::value: return true;
        case Kind::requests:
        case Kind::errors:
        case Kind::successes: return aggregation.empty() || aggregation == "sum" || aggregation == "count";
        case Kind::distinct: return aggregation.empty() || aggregation == "count";
        case Kind::error_rate:
        case Kind::success_rate:
        case Kind::throughput: return aggregation.empty() || aggregation == "avg";
    }
    return false;
}

std::optional<double> as_number(const MetricValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* money = std::get_if<Usd>(&value)) return static_cast<double>(money->nanos) / 1e9;
    return std::nullopt;
}

Result<MetricAnswer> metrics(const Figures& figures, const MetricQuestion& asked, const Cancel& cancel) {
    FigureQuestion question(asked.scope);
    question.filter = asked.filter;
    question.aggregates = aggregates_for(asked.columns);
    question.limit = most_metric_rows + 1;
    FigureQuestion::Set set;
    for (const Dimension& dimension : asked.group_by) {
        set.groups.push_back(question.group_by.size());
        question.group_by.push_back(dimension.field);
    }
    if (asked.interval) {
        set.by_time = true;
        question.edges =
            OBS_TRY(bucket_edges(asked.from, asked.to, *asked.interval, asked.calendar, most_metric_rows));
    }
    question.sets = {std::move(set)};
    const FigureAnswer answer = OBS_TRY(figures.answer(question, {asked.from, asked.to}, asked.now, cancel));
    if (answer.sets.front().rows.size() > most_metric_rows)
        return fail(
            ErrorKind::too_large,
            "the answer has more than {} rows; choose a longer interval, a shorter window or fewer groups",
            most_metric_rows);
    MetricAnswer given;
    given.rows = rows_in(answer.sets.front(), asked, question.edges);
    if (asked.interval && asked.group_by.empty()) fill_gaps(given.rows, asked, question.edges);
    given.source = answer.source;
    given.exact = answer.exact;
    return given;
}

Result<std::int64_t> distinct_in(const Figures& figures, const Scope& scope, const Filter& filter,
                                 UnixNanos from, UnixNanos to, UnixNanos now, std::string_view column,
                                 const Cancel& cancel) {
    FigureQuestion question(scope);
    question.filter = filter;
    question.aggregates = {query::aggregate_of(Function::distinct, column, "distinct")};
    question.sets = {{}};
    const FigureAnswer answer = OBS_TRY(figures.answer(question, {from, to}, now, cancel));
    return FigureTable(answer.sets.front()).count(0, "distinct");
}

}  // namespace obs::query
