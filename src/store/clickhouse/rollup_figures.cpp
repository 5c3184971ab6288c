#include "store/clickhouse/rollup_figures.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "model/native.h"
#include "store/clickhouse/rollup_sql.h"
#include "store/clickhouse/sketch.h"
#include "store/field.h"
#include "store/sql/render.h"

namespace obs {

namespace {

using Function = Aggregate::Function;

constexpr std::string_view no_rows = "NULL";
constexpr std::int64_t second = Nanos::seconds(1).count;

std::int64_t seconds_of(UnixNanos at) {
    return at.since_epoch / second;
}

bool is_text(const FieldRef& field) {
    return kind_of(field) != FieldKind::number;
}

// How columns of the statement become a cell of an aggregate. The engine takes longer to understand a
// statement than to answer it, so what can be done afterwards is.
struct Shown {
    std::size_t column = 0;             // behind the keys
    std::optional<double> level{};      // the column holds a sketch; this quantile of it is meant
    std::optional<std::size_t> rows{};  // column with the number of rows that had a value; none: no cell
    bool average = false;               // the column is a sum over these rows
};

// How the statement says which time bucket a row is in.
enum class BucketKey : std::uint8_t { number, seconds, nanos };

enum class Quantiles : std::uint8_t { exact, sketched };

// One statement. Keys are `t` (the time bucket) and `d0`, `d1` … (the groups).
class FigureStatement {
public:
    FigureStatement(const FigureQuestion& question, Quantiles quantiles)
        : question_(question), quantiles_(quantiles) {
        by_time_ = std::ranges::any_of(question.sets, &FigureQuestion::Set::by_time);
        if (by_time_) bucket_key_ = bucket_key_of(question.edges);
        if (by_time_) keys_.emplace_back("t");
        for (std::size_t at = 0; at < question.group_by.size(); ++at) {
            const bool used = std::ranges::any_of(question.sets, [&](const FigureQuestion::Set& set) {
                return std::ranges::find(set.groups, at) != set.groups.end();
            });
            if (!used) continue;
            keys_.push_back(fmt::format("d{}", at));
            groups_.push_back(at);
        }
    }

    // From spans alone.
    Statement of_rows() {
        std::vector<std::string> columns = key_columns(false);
        for (const std::string& figure : figures_of_rows()) columns.push_back(figure);
        columns.emplace_back("toInt64(count()) AS c");
        std::string sql = fmt::format("SELECT {} FROM spans WHERE {}", fmt::join(with_mask(columns), ", "),
                                      rows_in(std::nullopt));
        return parts_.put_together(sql + grouped());
    }

    // From all pieces.
    Statement of_pieces() {
        plain_keys_ = true;
        std::vector<std::string> columns = keys_;
        for (const std::string& figure : figures_of_pieces()) columns.push_back(figure);
        std::vector<std::string> sources;
        for (const RollupLevel level : all_rollup_levels)
            if (has(level)) sources.push_back(of_rollups(level));
        if (has(std::nullopt)) sources.push_back(of_span_pieces());
        std::string sql = fmt::format("SELECT {} FROM ({})", fmt::join(with_mask(columns), ", "),
                                      fmt::join(sources, " UNION ALL "));
        return parts_.put_together(sql + grouped());
    }

    const std::vector<Shown>& shown() const { return shown_; }
    // A key of the answer as a cell.
    Cell key_cell(std::size_t key, const Cell& given) const {
        if (!is_time(key)) {
            const auto* text = std::get_if<std::string>(&given);
            return plain_keys_ && text != nullptr && text->empty() ? Cell() : given;
        }
        const auto* number = std::get_if<std::int64_t>(&given);
        if (number == nullptr) return given;
        const auto& edges = question_.edges;
        switch (bucket_key_) {
            case BucketKey::number: return edges[0].since_epoch + *number * (edges[1] - edges[0]).count;
            case BucketKey::seconds: return *number * second;
            case BucketKey::nanos: break;
        }
        return given;
    }
    std::size_t keys() const { return keys_.size(); }
    bool masked() const { return question_.sets.size() > 1 && !keys_.empty(); }
    // What grouping() says of the rows of a set: a bit for each key that the set has not, the first key
    // first.
    std::int64_t mask_of(const FigureQuestion::Set& set) const {
        std::int64_t mask = 0;
        for (std::size_t at = 0; at < keys_.size(); ++at) mask = mask * 2 + (in(set, at) ? 0 : 1);
        return mask;
    }
    // Whether the set has this key.
    bool in(const FigureQuestion::Set& set, std::size_t key) const {
        if (is_time(key)) return set.by_time;
        return std::ranges::find(set.groups, group_at(key)) != set.groups.end();
    }

private:
    bool is_time(std::size_t key) const { return by_time_ && key == 0; }
    std::size_t group_at(std::size_t key) const { return groups_[key - (by_time_ ? 1 : 0)]; }
    const FieldRef& group(std::size_t key) const { return question_.group_by[group_at(key)]; }
    bool has(std::optional<RollupLevel> level) const {
        return std::ranges::any_of(question_.pieces, [&](const auto& piece) { return piece.level == level; });
    }

    // ----- conditions

    // Buckets of that level's pieces, and all between the first and the last of them.
    std::string buckets_within(RollupLevel level) {
        std::vector<std::string> either;
        for (const FigurePiece& piece : question_.pieces)
            if (piece.level == level) either.push_back(buckets_between(piece.from, piece.to));
        return either.size() == 1 ? either.front() : fmt::format("({})", fmt::join(either, " OR "));
    }
    std::string buckets_around(RollupLevel level) {
        std::optional<UnixNanos> from;
        UnixNanos to;
        for (const FigurePiece& piece : question_.pieces) {
            if (piece.level != level) continue;
            if (!from) from = piece.from;
            to = piece.to;
        }
        return buckets_between(*from, to);
    }
    std::string buckets_between(UnixNanos from, UnixNanos to) {
        return fmt::format("bucket >= toDateTime({}, 'UTC') AND bucket < toDateTime({}, 'UTC')",
                           parts_.bind(seconds_of(from)), parts_.bind(seconds_of(to)));
    }

    // `time` within the pieces of that source; of all pieces when `all`.
    std::string within(std::string_view time, std::optional<RollupLevel> level, bool all = false) {
        std::vector<std::string> either;
        for (auto piece = question_.pieces.begin(); piece != question_.pieces.end(); ++piece) {
            if (!all && piece->level != level) continue;
            const UnixNanos to = all ? question_.pieces.back().to : piece->to;
            either.push_back(fmt::format("({0} >= {1} AND {0} < {2})", time, parts_.moment(piece->from),
                                         parts_.moment(to)));
            if (all) break;
        }
        return fmt::format("({})", fmt::join(either, " OR "));
    }

    std::string filtered() {
        return question_.filter.always() ? "" : fmt::format(" AND {}", parts_.matches(question_.filter));
    }

    std::string rows_in(std::optional<RollupLevel> level) {
        const bool all =
            !level && !has(RollupLevel::minute) && !has(RollupLevel::hour) && !has(RollupLevel::day);
        std::string where = fmt::format("{} AND {} AND is_call = 1{}", parts_.belongs_to(question_.scope),
                                        within("ts", level, all), filtered());
        if (question_.up_to_seq)
            where +=
                fmt::format(" AND seq <= {}", parts_.bind(static_cast<std::int64_t>(*question_.up_to_seq)));
        return where;
    }

    // ----- keys

    static bool are_even(const std::vector<UnixNanos>& edges) {
        for (std::size_t at = 2; at < edges.size(); ++at)
            if (edges[at] - edges[at - 1] != edges[1] - edges[0]) return false;
        return true;
    }
    static BucketKey bucket_key_of(const std::vector<UnixNanos>& edges) {
        const bool whole = std::ranges::all_of(
            edges, [](UnixNanos at) { return at.since_epoch >= 0 && at.since_epoch % second == 0; });
        if (!whole) return BucketKey::nanos;
        return are_even(edges) ? BucketKey::number : BucketKey::seconds;
    }

    std::string bucket(std::string_view time, bool of_rollup) {
        const auto& edges = question_.edges;
        if (bucket_key_ == BucketKey::number)
            return fmt::format("intDiv(toUnixTimestamp({}) - {}, {})", time,
                               parts_.bind(seconds_of(edges[0])),
                               parts_.bind((edges[1] - edges[0]).count / second));
        std::vector<std::int64_t> starts;
        const std::int64_t unit = bucket_key_ == BucketKey::seconds ? second : 1;
        for (std::size_t at = 0; at + 1 < edges.size(); ++at) starts.push_back(edges[at].since_epoch / unit);
        if (bucket_key_ == BucketKey::seconds)
            return fmt::format("toInt64(roundDown(toUnixTimestamp({}), {}))", time,
                               parts_.bind(std::move(starts)));
        const std::string nanos =
            fmt::format(fmt::runtime(of_rollup ? "toInt64(toUnixTimestamp({})) * 1000000000"
                                               : "toUnixTimestamp64Nano({})"),
                        time);
        return fmt::format("toInt64(roundDown({}, {}))", nanos, parts_.bind(std::move(starts)));
    }

    // Of spans, named; as cells of the answer, or plain, without nulls.
    std::vector<std::string> key_columns(bool plain) {
        std::vector<std::string> columns;
        for (std::size_t at = 0; at < keys_.size(); ++at) {
            if (is_time(at)) {
                columns.push_back(fmt::format("{} AS t", bucket("ts", false)));
                continue;
            }
            const FieldRef& field = group(at);
            if (plain && field.column != nullptr && field.column->type == ColumnType::dict) {
                columns.push_back(fmt::format("CAST({}, 'String') AS {}", field.column->name, keys_[at]));
                continue;
            }
            const std::string key = parts_.group_key(field);
            const std::string cell = kind_of(field) == FieldKind::text_list ? key : parts_.shown(field, key);
            if (plain && is_text(field))
                columns.push_back(
                    fmt::format("ifNull(CAST({}, 'Nullable(String)'), '') AS {}", key, keys_[at]));
            else
                columns.push_back(fmt::format("{} AS {}", cell, keys_[at]));
        }
        return columns;
    }

    std::vector<std::string> with_mask(std::vector<std::string> columns) const {
        if (masked())
            columns.insert(columns.begin(),
                           fmt::format("toInt64(grouping({})) AS mask", fmt::join(keys_, ", ")));
        return columns;
    }

    std::string keys_of(const FigureQuestion::Set& set) const {
        std::vector<std::string> keys;
        for (std::size_t at = 0; at < keys_.size(); ++at)
            if (in(set, at)) keys.push_back(keys_[at]);
        return fmt::format("{}", fmt::join(keys, ", "));
    }

    std::string group_by_sets() const {
        if (keys_.empty()) return "";
        std::vector<std::string> sets;
        for (const FigureQuestion::Set& set : question_.sets) {
            std::string one = fmt::format("({})", keys_of(set));
            if (std::ranges::find(sets, one) == sets.end()) sets.push_back(std::move(one));
        }
        if (sets.size() == 1) {
            const std::string keys = keys_of(question_.sets.front());
            return keys.empty() ? "" : fmt::format(" GROUP BY {}", keys);
        }
        return fmt::format(" GROUP BY GROUPING SETS ({})", fmt::join(sets, ", "));
    }

    std::string grouped() const {
        std::string sql = group_by_sets();
        std::vector<std::string> order;
        if (masked()) order.emplace_back("mask");
        if (by_time_ && !sql.empty()) order.emplace_back("t");
        for (std::size_t at = 0; at < question_.aggregates.size(); ++at)
            if (!question_.order_by.empty() && question_.aggregates[at].name == question_.order_by &&
                !shown_[at].level) {
                if (shown_[at].rows) order.push_back(fmt::format("a{} = 0", *shown_[at].rows));
                order.push_back(fmt::format("a{} {} NULLS LAST", shown_[at].column,
                                            question_.descending ? "DESC" : "ASC"));
            }
        if (sql.empty()) return sql;
        for (std::size_t at = by_time_ ? 1 : 0; at < keys_.size(); ++at)
            order.push_back(
                fmt::format(fmt::runtime(plain_keys_ && is_text(group(at)) ? "nullIf({}, '') ASC NULLS LAST"
                                                                           : "{} ASC NULLS LAST"),
                            keys_[at]));
        if (!order.empty()) sql += fmt::format(" ORDER BY {}", fmt::join(order, ", "));
        // Quantiles of sketches are known only behind the statement: then everything is ordered there.
        if (orders_by_sketch()) return sql;
        return sql + fmt::format(" LIMIT {}{}", question_.limit, masked() ? " BY mask" : "");
    }

    bool orders_by_sketch() const {
        for (std::size_t at = 0; at < question_.aggregates.size(); ++at)
            if (!question_.order_by.empty() && question_.aggregates[at].name == question_.order_by)
                return shown_[at].level.has_value();
        return false;
    }

    // ----- figures

    void show(std::vector<std::string>& columns, std::string expression) {
        shown_.push_back({columns.size(), {}});
        columns.push_back(fmt::format("{} AS a{}", expression, columns.size()));
    }

    // Quantiles of one field under one condition share a column.
    void show_sketch(std::vector<std::string>& columns, const Aggregate& aggregate, const std::string& key,
                     const std::string& expression) {
        const auto [at, fresh] = sketches_.try_emplace(key, columns.size());
        shown_.push_back({at->second, aggregate.level});
        if (fresh) columns.push_back(fmt::format("{} AS a{}", expression, columns.size()));
    }

    std::vector<std::string> figures_of_rows() {
        std::vector<double> levels;
        for (const Aggregate& one : question_.aggregates)
            if (one.function == Function::quantile) levels.push_back(one.level);
        std::vector<std::string> columns;
        std::size_t quantile = 0;
        for (const Aggregate& one : question_.aggregates) {
            if (one.function != Function::quantile) {
                show(columns, parts_.figure(one));
                continue;
            }
            const std::string c = parts_.counted(one), x = parts_.value_of(one.field);
            ++quantile;
            if (quantiles_ == Quantiles::exact)
                // All levels in one, so that the values are gathered and sorted once for each field.
                show(columns,
                     fmt::format("if(countIf({0}) = 0, {4}, "
                                 "quantilesExactInclusiveIf({1})(toFloat64(ifNull({2}, 0)), {0})[{3}])",
                                 c, fmt::join(levels, ", "), x, quantile, no_rows));
            else
                show_sketch(
                    columns, one, c + x,
                    fmt::format("CAST(quantileDDStateIf(0.005, 0.5)(toInt64(ifNull({}, -1)), {}), 'String')",
                                x, c));
        }
        return columns;
    }

    // What each source gives of an aggregate; aggregates share what they have in common.
    struct Partial {
        enum class Kind : std::uint8_t { calls, rows, sum, least, most, sketch, distinct };
        Kind kind;
        std::size_t aggregate;  // one that needs it
        std::string name;
    };
    using Kind = Partial::Kind;

    const std::string& partial(Kind kind, std::size_t aggregate) {
        const Aggregate& one = question_.aggregates[aggregate];
        const ColumnInfo* counted = counted_field(one);
        const bool shared = counted != nullptr || one.only.always();
        const std::string_view field = counted != nullptr            ? counted->name
                                       : one.field.column != nullptr ? one.field.column->name
                                                                     : "";
        std::string key =
            fmt::format("{} {} {}", static_cast<int>(kind), field, shared ? -1 : static_cast<int>(aggregate));
        const auto [at, fresh] = partial_places_.try_emplace(std::move(key), partials_.size());
        if (fresh) partials_.push_back({kind, aggregate, fmt::format("x{}", partials_.size())});
        return partials_[at->second].name;
    }

    // The column of what the sources give, added up.
    std::size_t added(std::vector<std::string>& columns, std::string_view expression,
                      const std::string& name) {
        const auto [at, fresh] =
            added_.try_emplace(fmt::format(fmt::runtime(expression), name), columns.size());
        if (fresh) columns.push_back(fmt::format("{} AS a{}", at->first, columns.size()));
        return at->second;
    }

    std::vector<std::string> figures_of_pieces() {
        constexpr std::string_view whole = "toInt64(sum({}))";
        // Null instead of a sum that no cell can hold.
        constexpr std::string_view wide = "accurateCastOrNull(sum({}), 'Int64')";
        constexpr std::string_view money = "accurateCastOrNull(reinterpret(sum({}), 'Int128'), 'Int64')";
        std::vector<std::string> columns;
        for (std::size_t i = 0; i < question_.aggregates.size(); ++i) {
            const Aggregate& one = question_.aggregates[i];
            const auto rows = [&] { return added(columns, whole, partial(Kind::rows, i)); };
            switch (one.function) {
                case Function::count: {
                    const bool of_field = counted_field(one) != nullptr;
                    shown_.push_back(
                        {added(columns, whole, partial(of_field ? Kind::rows : Kind::calls, i))});
                    break;
                }
                case Function::sum: {
                    const bool is_money = one.field.column->type == ColumnType::usd;
                    const std::size_t sum = added(columns, is_money ? money : wide, partial(Kind::sum, i));
                    shown_.push_back({.column = sum, .rows = rows()});
                    break;
                }
                case Function::avg: {
                    const std::size_t sum = added(columns,
                                                  one.field.column->type == ColumnType::usd
                                                      ? "toFloat64(reinterpret(sum({}), 'Int128'))"
                                                      : "toFloat64(sum({}))",
                                                  partial(Kind::sum, i));
                    shown_.push_back({.column = sum, .rows = rows(), .average = true});
                    break;
                }
                case Function::min:
                case Function::max: {
                    const bool least = one.function == Function::min;
                    const std::string end = partial(least ? Kind::least : Kind::most, i);
                    const std::string known = partial(Kind::rows, i);
                    const std::size_t column =
                        added(columns, fmt::format("{}If({{}}, {} > 0)", least ? "min" : "max", known), end);
                    shown_.push_back({.column = column, .rows = rows()});
                    break;
                }
                case Function::quantile:
                    show_sketch(columns, one, std::string(one.field.column->name),
                                fmt::format("CAST(quantileDDMergeState(0.005, 0.5)({}), 'String')",
                                            partial(Kind::sketch, i)));
                    break;
                default:
                    show(columns, fmt::format("toInt64(uniqExactMerge({}))", partial(Kind::distinct, i)));
            }
        }
        return columns;
    }

    std::string of_spans(const Partial& partial) {
        const Aggregate& one = question_.aggregates[partial.aggregate];
        const ColumnInfo* counted = counted_field(one);
        const bool all = one.only.always() || counted != nullptr;
        const bool negative = (counted != nullptr ? counted : one.field.column) != nullptr &&
                              (counted != nullptr ? counted : one.field.column)->type == ColumnType::duration;
        const std::string_view name = counted != nullptr            ? counted->name
                                      : one.field.column != nullptr ? one.field.column->name
                                                                    : "";
        // Values that are missing are left out by the engine as well; negative durations are not.
        if (all && !negative) {
            const bool is_money = one.field.column != nullptr && one.field.column->type == ColumnType::usd;
            if (partial.kind == Kind::calls) return "count()";
            if (partial.kind == Kind::rows) return fmt::format("count({})", name);
            if (partial.kind == Kind::sum)
                return fmt::format(fmt::runtime(is_money ? "sum({})" : "sum(toInt128({}))"), name);
        }
        const std::string c = parts_.counted(one);
        if (partial.kind == Kind::calls || partial.kind == Kind::rows) return fmt::format("countIf({})", c);
        const std::string x = parts_.value_of(one.field);
        switch (partial.kind) {
            case Kind::sum:
                if (one.field.column->type == ColumnType::usd) return fmt::format("sumIf({}, {})", name, c);
                return fmt::format("sumIf(toInt128(ifNull({}, 0)), {})", x, c);
            case Kind::least: return fmt::format("minIf(toInt64(ifNull({}, 0)), {})", x, c);
            case Kind::most: return fmt::format("maxIf(toInt64(ifNull({}, 0)), {})", x, c);
            case Kind::sketch:
                return fmt::format("quantileDDStateIf(0.005, 0.5)(toInt64(ifNull({}, -1)), {})", x, c);
            default: return fmt::format("uniqExactStateIf({}, {})", x, c);
        }
    }

    std::string of_span_pieces() {
        std::vector<std::string> columns = key_columns(true);
        for (const Partial& one : partials_)
            columns.push_back(fmt::format("{} AS {}", of_spans(one), one.name));
        std::string sql =
            fmt::format("SELECT {} FROM spans WHERE {}", fmt::join(columns, ", "), rows_in(std::nullopt));
        return sql + (keys_.empty() ? "" : fmt::format(" GROUP BY {}", fmt::join(keys_, ", ")));
    }

    std::string of_rollups(RollupLevel level) {
        const ColumnInfo* key_column = rollup_key(question_);
        std::vector<std::string> columns;
        for (std::size_t at = 0; at < keys_.size(); ++at) {
            if (is_time(at))
                columns.push_back(fmt::format("{} AS t", bucket("bucket", true)));
            else
                columns.push_back(rolled_up_key(group(at), key_column) + fmt::format(" AS {}", keys_[at]));
        }
        for (const Partial& one : partials_)
            columns.push_back(fmt::format("{} AS {}", of_rollup(one), one.name));
        std::string where = fmt::format("{} AND {} AND {}", parts_.belongs_to(question_.scope),
                                        buckets_within(level), is_current(level, buckets_around(level)));
        std::string from(name_of(table_of(level, key_column != nullptr)));
        if (key_column != nullptr) {
            // The filter knows the key by the name of its column.
            where += fmt::format(" AND dimension = '{}' AND calls > 0", dimension_of(key_column->name));
            from = fmt::format("(SELECT *, key AS {}, toUInt8(2) AS status_code FROM {} WHERE {})",
                               key_column->name, from, where);
            where = question_.filter.always() ? "true" : parts_.matches(question_.filter);
        } else {
            where += " AND is_call = 1" + filtered();
        }
        // Rows as they are: they are added up once, behind all sources.
        return fmt::format("SELECT {} FROM {} WHERE {}", fmt::join(columns, ", "), from, where);
    }

    static RollupTable table_of(RollupLevel level, bool of_keys) {
        if (level == RollupLevel::minute) return RollupTable::minutes;
        if (level == RollupLevel::day) return RollupTable::days;
        return of_keys ? RollupTable::hour_keys : RollupTable::hours;
    }
    static std::string_view dimension_of(std::string_view column) {
        if (column == "user_id") return "user";
        if (column == "session_id") return "session";
        return column == "tags" ? "tag" : "error";
    }

    static std::string rolled_up_key(const FieldRef& field, const ColumnInfo* key) {
        if (!is_text(field)) return fmt::format("toInt64({})", field.column->name);
        return fmt::format("CAST({}, 'String')", field.column == key ? "key" : field.column->name);
    }

    // Of one row of a rollup.
    std::string of_rollup(const Partial& partial) {
        const Aggregate& one = question_.aggregates[partial.aggregate];
        const ColumnInfo* counted = counted_field(one);
        const auto when = [&](std::string value) {
            if (counted != nullptr || one.only.always()) return value;
            return fmt::format("if({}, {}, 0)", parts_.matches(one.only), value);
        };
        const std::string_view name = counted != nullptr            ? counted->name
                                      : one.field.column != nullptr ? one.field.column->name
                                                                    : "";
        switch (partial.kind) {
            case Kind::calls: return when("calls");
            case Kind::rows: return when(fmt::format("{}_rows", name));
            case Kind::sum: return when(std::string(name));
            case Kind::least: return "duration_least";
            case Kind::most: return "duration_most";
            case Kind::sketch: return fmt::format("{}_sketch", name);
            case Kind::distinct: break;
        }
        return "arrayReduce('uniqExactState', if(key = '', [], [key]))";
    }

    const FigureQuestion& question_;
    Quantiles quantiles_;
    bool by_time_ = false;
    std::vector<std::string> keys_;
    std::vector<std::size_t> groups_;  // of the keys behind the time
    std::vector<Shown> shown_;         // of each aggregate
    std::vector<Partial> partials_;
    std::map<std::string, std::size_t> partial_places_;
    std::map<std::string, std::size_t> sketches_;  // column of each
    std::map<std::string, std::size_t> added_;     // column of each expression
    BucketKey bucket_key_ = BucketKey::nanos;
    bool plain_keys_ = false;  // a key that is missing is an empty text
    StatementParts parts_{clickhouse_dialect};
};

bool asks_for_quantiles(const FigureQuestion& question) {
    return std::ranges::any_of(question.aggregates,
                               [](const Aggregate& one) { return one.function == Function::quantile; });
}

Result<Table> ask(Transport& transport, const Statement& statement, const Cancel& cancel) {
    const Transport::Answer answer = OBS_TRY(transport.ask(statement, cancel));
    Table table;
    OBS_TRY_VOID(read_native(answer.native, table));
    return table;
}

Result<Cell> cell_of(const Shown& shown, const std::vector<Cell>& row, std::size_t before) {
    const Cell& cell = row.at(before + shown.column);
    if (shown.rows) {
        const auto rows = std::get<std::int64_t>(row.at(before + *shown.rows));
        if (rows == 0) return Cell();
        if (shown.average) return std::get<double>(cell) / static_cast<double>(rows);
        return cell.index() == 0 ? Cell(std::numeric_limits<std::int64_t>::max()) : cell;
    }
    if (!shown.level) return cell;
    const Sketch sketch = OBS_TRY(Sketch::parse(std::get<std::string>(cell)));
    return sketch.count() > 0 ? Cell(sketch.quantile(*shown.level)) : Cell();
}

std::vector<std::string> column_names(const FigureQuestion& question, const FigureQuestion::Set& set) {
    std::vector<std::string> names;
    if (set.by_time) names.emplace_back("bucket");
    for (const std::size_t at : set.groups) names.push_back(field_name(question.group_by[at]));
    for (const Aggregate& one : question.aggregates) names.push_back(one.name);
    return names;
}

// The rows of the statement, each in the table of its set.
Result<std::vector<Table>> taken_apart(const Table& all, const FigureQuestion& question,
                                       const FigureStatement& statement) {
    std::vector<Table> tables;
    const std::size_t first = statement.masked() ? 1 : 0;
    for (const FigureQuestion::Set& set : question.sets) {
        Table& table = tables.emplace_back(Table{column_names(question, set), {}});
        for (const std::vector<Cell>& row : all.rows) {
            if (statement.masked() && std::get<std::int64_t>(row[0]) != statement.mask_of(set)) continue;
            std::vector<Cell>& cells = table.rows.emplace_back();
            for (std::size_t key = 0; key < statement.keys(); ++key)
                if (statement.in(set, key)) cells.push_back(statement.key_cell(key, row.at(first + key)));
            for (const Shown& shown : statement.shown())
                cells.push_back(OBS_TRY(cell_of(shown, row, first + statement.keys())));
        }
        order_figures(table, question, set);
    }
    return tables;
}

// How many rows the largest group has; the statement was one of spans alone.
std::uint64_t largest_group(const Table& all) {
    std::int64_t most = 0;
    for (const std::vector<Cell>& row : all.rows) most = std::max(most, std::get<std::int64_t>(row.back()));
    return static_cast<std::uint64_t>(most);
}

Result<FigureTables> answer_rows(const FigureQuestion& question, Quantiles quantiles, Transport& transport,
                                 const Cancel& cancel) {
    FigureStatement statement(question, quantiles);
    const Statement sql = statement.of_rows();
    const Table all = OBS_TRY(ask(transport, sql, cancel));
    // A sketch of so many would do, but so few are told exactly.
    if (quantiles == Quantiles::sketched && largest_group(all) <= question.exact_up_to)
        return answer_rows(question, Quantiles::exact, transport, cancel);
    FigureTables answer;
    answer.exact = quantiles == Quantiles::exact;
    answer.sets = OBS_TRY(taken_apart(all, question, statement));
    return answer;
}

Result<FigureTables> answer_pieces(const FigureQuestion& question, Transport& transport,
                                   const Cancel& cancel) {
    const bool of_rows =
        std::ranges::none_of(question.pieces, [](const auto& piece) { return piece.level.has_value(); });
    // First as a sketch, which many rows take: few are read a second time quickly.
    if (of_rows)
        return answer_rows(question, asks_for_quantiles(question) ? Quantiles::sketched : Quantiles::exact,
                           transport, cancel);
    FigureTables answer;
    answer.exact = !asks_for_quantiles(question);
    FigureStatement statement(question, Quantiles::sketched);
    const Statement sql = statement.of_pieces();
    const Table all = OBS_TRY(ask(transport, sql, cancel));
    answer.sets = OBS_TRY(taken_apart(all, question, statement));
    return answer;
}

}  // namespace

std::vector<FigurePiece> without(const std::vector<FigurePiece>& pieces,
                                 const std::set<RollupBucket>& buckets) {
    std::vector<FigurePiece> left;
    const auto add = [&](FigurePiece piece) {
        if (piece.from >= piece.to) return;
        if (!left.empty() && left.back().level == piece.level && left.back().to == piece.from)
            left.back().to = piece.to;
        else
            left.push_back(piece);
    };
    for (const FigurePiece& piece : pieces) {
        UnixNanos from = piece.from;
        if (piece.level) {
            auto bucket = buckets.lower_bound({*piece.level, piece.from});
            for (; bucket != buckets.end() && bucket->level == *piece.level && bucket->start < piece.to;
                 ++bucket) {
                add({from, bucket->start, piece.level});
                add({bucket->start, bucket->end(), {}});
                from = bucket->end();
            }
        }
        add({from, piece.to, piece.level});
    }
    return left;
}

Result<FigureTables> answer_figures(const FigureQuestion& question, Transport& transport,
                                    const ClickHouseRollups& rollups, const Cancel& cancel) {
    FigureQuestion asked = question;
    // Buckets are taken back seldom, and then they are unfinished at the next try.
    for (int tries = 0; tries < 3; ++tries) {
        const ClickHouseRollups::Unfinished unfinished = rollups.unfinished();
        asked.pieces = without(asked.pieces, unfinished.buckets);
        auto answer = answer_pieces(asked, transport, cancel);
        if (!answer || !rollups.taken_back_since(unfinished.moment, asked.pieces)) return answer;
    }
    for (FigurePiece& piece : asked.pieces) piece.level.reset();
    return answer_pieces(asked, transport, cancel);
}

}  // namespace obs
