#include "store/clickhouse/rollup_sql.h"

#include <optional>

#include <fmt/format.h>

#include "model/schema.h"

namespace obs {

namespace {

constexpr std::string_view sketch = "quantileDD(0.005, 0.5)";

// A column, its expression over rows, and its expression over finer rollups.
struct Part {
    std::string name, type, of_rows, of_finer;
    bool is_group = false;
};

std::string start_of(RollupLevel level, std::string_view time) {
    switch (level) {
        case RollupLevel::minute: return fmt::format("toStartOfMinute({})", time);
        case RollupLevel::hour: return fmt::format("toStartOfHour({})", time);
        case RollupLevel::day: return fmt::format("toStartOfDay({})", time);
    }
    return {};
}

bool is_summed(const ColumnInfo& column) {
    return column.has(amendable) && column.has(filterable) &&
           (column.type == ColumnType::tokens || column.type == ColumnType::usd);
}

Part group(std::string name, std::string type, std::string of_rows = {}) {
    if (of_rows.empty()) of_rows = name;
    return {name, std::move(type), std::move(of_rows), name, true};
}
Part sum(std::string name, std::string type, std::string of_rows) {
    return {name, std::move(type), std::move(of_rows), fmt::format("sum({})", name)};
}

void add_groups(std::vector<Part>& parts, RollupTable table) {
    const RollupLevel level = level_of(table);
    parts.push_back(group("org_id", "LowCardinality(String)"));
    parts.push_back(group("project_id", "LowCardinality(String)"));
    Part bucket = group("bucket", "DateTime('UTC')", start_of(level, "ts"));
    bucket.of_finer = start_of(level, "bucket");
    parts.push_back(std::move(bucket));
    if (has_keys(table)) {
        parts.push_back(group("dimension", "LowCardinality(String)", "belongs.1"));
        parts.push_back(group("key", "String", "belongs.2"));
        return;
    }
    for (const char* name : {"service_name", "provider", "model", "environment", "kind"})
        parts.push_back(group(name, "LowCardinality(String)"));
    parts.push_back(group("status_code", "UInt8"));
    parts.push_back(group("request_model", "LowCardinality(String)"));
    parts.push_back(group("is_call", "UInt8"));
}

// Sums are wide enough that no number of rows overflows them.
void add_sums(std::vector<Part>& parts) {
    parts.push_back(sum("spans", "UInt64", "count()"));
    parts.push_back(sum("roots", "UInt64", "sum(is_root)"));
    parts.push_back(sum("calls", "UInt64", "sum(is_call)"));
    parts.push_back(sum("errors", "UInt64", "countIf(status_code = 2)"));
    for (const ColumnInfo& column : columns_of(TableId::spans)) {
        if (!is_summed(column)) continue;
        const bool money = column.type == ColumnType::usd;
        parts.push_back(sum(std::string(column.name), money ? "Decimal(38, 9)" : "Int128",
                            money ? fmt::format("ifNull(sumIf({}, is_call), 0)", column.name)
                                  : fmt::format("ifNull(sumIf(toInt128({}), is_call), 0)", column.name)));
        parts.push_back(sum(fmt::format("{}_rows", column.name), "UInt64",
                            fmt::format("countIf(isNotNull({}) AND is_call)", column.name)));
    }
    parts.push_back(sum("duration", "Int128", "sumIf(toInt128(duration), duration >= 0)"));
    parts.push_back(sum("duration_rows", "UInt64", "countIf(duration >= 0)"));
    parts.push_back(sum("ttft", "Int128", "ifNull(sumIf(toInt128(ttft), ttft >= 0), 0)"));
    parts.push_back(sum("ttft_rows", "UInt64", "countIf(ttft >= 0)"));
}

void add_ends(std::vector<Part>& parts) {
    parts.push_back({"duration_least", "Int64", "minIf(duration, duration >= 0)",
                     "minIf(duration_least, duration_rows > 0)"});
    parts.push_back({"duration_most", "Int64", "maxIf(duration, duration >= 0)",
                     "maxIf(duration_most, duration_rows > 0)"});
}

void add_sketches(std::vector<Part>& parts) {
    for (const auto& [name, value] : {std::pair{"duration", "duration"}, {"ttft", "ifNull(ttft, -1)"}})
        parts.push_back({fmt::format("{}_sketch", name), fmt::format("AggregateFunction({}, Int64)", sketch),
                         fmt::format("quantileDDStateIf(0.005, 0.5)({0}, {0} >= 0)", value),
                         fmt::format("quantileDDMergeState(0.005, 0.5)({}_sketch)", name)});
}

std::vector<Part> parts_of(RollupTable table) {
    std::vector<Part> parts;
    add_groups(parts, table);
    parts.push_back({"version", "UInt64", "{p0:UInt64}", "{p0:UInt64}"});
    add_sums(parts);
    if (has_keys(table)) return parts;
    add_ends(parts);
    add_sketches(parts);
    return parts;
}

// A span belongs to its user, its session and each of its tags; without one, to the empty key. One that
// failed belongs to its error too.
constexpr std::string_view belongs =
    " ARRAY JOIN arrayConcat([('user', user_id), ('session', session_id)], "
    "arrayMap(t -> ('tag', t), if(empty(tags), [''], arrayDistinct(tags))), "
    "if(status_code = 2, [('error', CAST(error_code, 'String'))], [])) AS belongs";

// What a table can be put together from when it need not be rows.
std::optional<RollupTable> finer_than(RollupTable table) {
    switch (table) {
        case RollupTable::hours: return RollupTable::minutes;
        case RollupTable::days: return RollupTable::hour_keys;
        default: return std::nullopt;
    }
}

Statement roll_up_statement(const RollUp& work, RollupTable table, std::uint64_t version) {
    const std::optional<RollupTable> finer =
        work.from == RollUp::From::finer ? finer_than(table) : std::nullopt;
    std::vector<std::string> names, values, groups;
    for (const Part& part : parts_of(table)) {
        names.push_back(part.name);
        values.push_back(finer ? part.of_finer : part.of_rows);
        if (part.is_group) groups.push_back(values.back());
    }
    const std::string_view time = finer ? "bucket" : "ts";
    std::string sql =
        fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", name_of(table), fmt::join(names, ", "),
                    fmt::join(values, ", "), finer ? name_of(*finer) : "spans");
    if (has_keys(table) && !finer) sql += belongs;
    sql += fmt::format(
        " WHERE {0} >= fromUnixTimestamp64Nano({{p1:Int64}}, 'UTC') AND {0} < "
        "fromUnixTimestamp64Nano({{p2:Int64}}, 'UTC') AND toUnixTimestamp({1}) IN {{p3:Array(Int64)}}",
        time, start_of(level_of(table), time));
    if (finer) sql += fmt::format(" AND {}", is_current(level_of(*finer)));
    sql += fmt::format(" GROUP BY {}", fmt::join(groups, ", "));

    std::vector<std::int64_t> starts;
    for (const RollupBucket& bucket : work.buckets)
        starts.push_back(bucket.start.since_epoch / Nanos::seconds(1).count);
    return {std::move(sql),
            {version, work.buckets.front().start.since_epoch, work.buckets.back().end().since_epoch,
             std::move(starts)},
            // One core at most, and hours of many users go to disk rather than to memory.
            {"max_threads = 1", "max_bytes_before_external_group_by = 268435456"}};
}

}  // namespace

std::string_view name_of(RollupTable table) {
    switch (table) {
        case RollupTable::minutes: return "rollup_minutes";
        case RollupTable::hours: return "rollup_hours";
        case RollupTable::hour_keys: return "rollup_hour_keys";
        case RollupTable::days: return "rollup_days";
    }
    return {};
}

RollupLevel level_of(RollupTable table) {
    switch (table) {
        case RollupTable::minutes: return RollupLevel::minute;
        case RollupTable::hours:
        case RollupTable::hour_keys: return RollupLevel::hour;
        case RollupTable::days: return RollupLevel::day;
    }
    return {};
}

std::vector<RollupColumn> rollup_columns(RollupTable table) {
    std::vector<RollupColumn> columns;
    for (Part& part : parts_of(table)) columns.push_back({std::move(part.name), std::move(part.type)});
    return columns;
}

std::string is_current(RollupLevel level, std::string_view buckets) {
    return fmt::format(
        "(bucket, version) IN (SELECT bucket, max(version) FROM rollup_buckets WHERE level = {} AND {} GROUP "
        "BY bucket)",
        static_cast<int>(level), buckets);
}

std::vector<Statement> roll_up_statements(const RollUp& work, std::uint64_t version) {
    std::vector<Statement> statements;
    for (const RollupTable table : all_rollup_tables)
        if (level_of(table) == work.buckets.front().level)
            statements.push_back(roll_up_statement(work, table, version));
    return statements;
}

}  // namespace obs
