#include "store/sql/render.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/chrono.h>

#include "base/utf8.h"
#include "store/aggregate.h"
#include "store/evaluate.h"
#include "store/field.h"
#include "store/fold.h"

namespace obs {

namespace {

using fmt::arg;

template <class... Args>
std::string fill(std::string_view text, const Args&... args) {
    return fmt::format(fmt::runtime(text), args...);
}
std::string of(std::string_view text, std::string_view x) {
    return fill(text, arg("x", x));
}
std::string of(std::string_view text, std::string_view x, std::string_view v) {
    return fill(text, arg("x", x), arg("v", v));
}

constexpr std::string_view never = "false";
constexpr std::string_view always = "true";

std::string joined(const std::vector<std::string>& parts, std::string_view between, std::string_view none) {
    if (parts.empty()) return std::string(none);
    if (parts.size() == 1) return parts.front();
    return fmt::format("({})", fmt::join(parts, between));
}
std::string all_of(const std::vector<std::string>& parts) {
    return joined(parts, " AND ", always);
}
std::string any_of(const std::vector<std::string>& parts) {
    return joined(parts, " OR ", never);
}
std::string negated(std::string_view condition) {
    return fmt::format("NOT ({})", condition);
}

std::string_view symbol(Operator op) {
    switch (op) {
        case Operator::lt: return "<";
        case Operator::lte: return "<=";
        case Operator::gt: return ">";
        case Operator::gte: return ">=";
        default: return "=";
    }
}

bool is_real(const FieldRef& field) {
    return field.derived == Derived::tokens_per_second ||
           (field.column != nullptr && field.column->type == ColumnType::f64);
}

class Renderer {
public:
    explicit Renderer(const Dialect& dialect) : dialect_(dialect) {}

    Statement rows(const RowQuestion& question) {
        if (is_merged(question)) {
            std::vector<std::string> of_projects;
            for (const std::string& project : question.scope.projects()) {
                RowQuestion one = question;
                one.scope = Scope(question.scope.org(), {project});
                of_projects.push_back(select(one));
            }
            statement_.sql = fmt::format("SELECT * FROM ({})", fmt::join(of_projects, " UNION ALL "));
            statement_.sql += ordered(question);
        } else {
            statement_.sql = select(question);
        }
        return std::move(statement_);
    }

    Statement groups(const GroupQuestion& question) {
        std::vector<std::string> columns, keys;
        const auto add_group = [&](std::string_view key, std::string_view shown) {
            columns.push_back(fmt::format("{} AS g{}", shown, keys.size()));
            keys.emplace_back(key);
        };
        if (question.interval) {
            const std::string bucket = of(dialect_.bucket, of(dialect_.time_as_integer, "ts"),
                                          bind(question.interval->count, dialect_.integer));
            add_group(bucket, bucket);
        }
        for (const FieldRef& field : question.group_by) {
            const std::string key = group_key(field);
            add_group(key, shown(field, key));
        }
        std::vector<std::string> order;
        for (std::size_t i = 0; i < question.aggregates.size(); ++i) {
            const Aggregate& aggregate = question.aggregates[i];
            columns.push_back(fmt::format("{} AS a{}", figure(aggregate), i));
            if (order.empty() && !question.order_by.empty() && aggregate.name == question.order_by)
                order.push_back(
                    fmt::format("a{} {} {}", i, question.descending ? "DESC" : "ASC", dialect_.nulls_last));
        }
        for (std::size_t i = 0; i < keys.size(); ++i)
            order.push_back(fmt::format("g{} ASC {}", i, dialect_.nulls_last));

        std::vector<std::string> where = place(question);
        if (!question.filter.always()) where.push_back(filtered(question.filter));
        statement_.sql = fmt::format("SELECT {} FROM {} WHERE {}", fmt::join(columns, ", "),
                                     table_name(question.table), all_of(where));
        if (!keys.empty()) statement_.sql += fmt::format(" GROUP BY {}", fmt::join(keys, ", "));
        if (!order.empty()) statement_.sql += fmt::format(" ORDER BY {}", fmt::join(order, ", "));
        statement_.sql += fmt::format(" LIMIT {}", question.limit);
        return std::move(statement_);
    }

    // ----- values

    std::string bind(Bound value, std::string_view type) {
        statement_.values.push_back(std::move(value));
        return fill(dialect_.placeholder, arg("n", statement_.values.size() - 1), arg("type", type));
    }
    std::string bind_list(Bound values, std::string_view type) {
        return bind(std::move(values), fill(dialect_.list_of, arg("type", type)));
    }
    std::string bind(const Scalar& value) {
        if (const auto* text = std::get_if<std::string>(&value)) return bind(*text, dialect_.text);
        if (const auto* whole = std::get_if<std::int64_t>(&value)) return bind(*whole, dialect_.integer);
        return bind(std::get<double>(value), dialect_.number);
    }

    // ----- fields

    // The field as a value that compares: a text, a number or an id.
    std::string value_of(const FieldRef& field) {
        switch (field.derived) {
            case Derived::tokens_per_second:
                return "CASE WHEN duration > 0 THEN completion_tokens * 1e9 / duration END";
            case Derived::end:
                return of(dialect_.saturated_sum, of(dialect_.time_as_integer, "ts"), "duration");
            case Derived::none: break;
        }
        const std::string_view name = field.column->name;
        switch (field.column->type) {
            case ColumnType::time: return of(dialect_.time_as_integer, name);
            case ColumnType::usd: return of(dialect_.usd_as_integer, name);
            case ColumnType::map:
                if (field.key.empty()) return std::string(name);
                return fill(dialect_.map_value, arg("x", name), arg("k", bind(field.key, dialect_.text)));
            default: return std::string(name);
        }
    }

    bool may_be_missing(const FieldRef& field) const {
        if (field.column == nullptr) return field.derived == Derived::tokens_per_second;
        return kind_of(field) != FieldKind::number || field.column->optional;
    }

    std::string missing(const FieldRef& field, std::string_view value) const {
        switch (kind_of(field)) {
            case FieldKind::text:
            case FieldKind::map_key: return fmt::format("{} = ''", value);
            case FieldKind::text_list:
            case FieldKind::map: return of(dialect_.list_is_empty, value);
            case FieldKind::id: return of(dialect_.id_is_zero, value);
            case FieldKind::number:
                return may_be_missing(field) ? fmt::format("{} IS NULL", value) : std::string(never);
        }
        return {};
    }

    std::string_view id_type(const FieldRef& field) const {
        return field.column->type == ColumnType::trace_id ? dialect_.trace_id : dialect_.span_id;
    }
    static std::size_t id_size(const FieldRef& field) {
        return field.column->type == ColumnType::trace_id ? sizeof(TraceId) : sizeof(SpanId);
    }

    // ----- conditions

    std::string filtered(const Filter& filter) {
        if (filter.kind == Filter::Kind::condition) return condition(filter.condition);
        std::vector<std::string> parts;
        for (const Filter& child : filter.children) parts.push_back(filtered(child));
        switch (filter.kind) {
            case Filter::Kind::all: return all_of(parts);
            case Filter::Kind::any: return for_indexes(filter, any_of(parts));
            default: return for_indexes(filter, negated(any_of(parts)));
        }
    }

    std::string for_indexes(const Filter& filter, std::string condition) const {
        if (filter.children.size() < 2 || may_use_index(filter)) return condition;
        return fill(dialect_.not_for_indexes, arg("c", condition));
    }
    // Texts, ids and attributes may have an index, and times have the primary key.
    static bool may_use_index(const Filter& filter) {
        if (filter.kind != Filter::Kind::condition)
            return std::ranges::any_of(filter.children, may_use_index);
        if (filter.condition.op == Operator::search) return true;
        const ColumnInfo* column = filter.condition.field.column;
        if (column == nullptr) return false;
        switch (column->type) {
            case ColumnType::text:
            case ColumnType::map:
            case ColumnType::time:
            case ColumnType::trace_id:
            case ColumnType::span_id: return true;
            default: return false;
        }
    }

    std::string condition(const Condition& condition) {
        const FieldRef& field = condition.field;
        switch (condition.op) {
            case Operator::search: return search(condition.values);
            case Operator::missing: return missing(field, value_of(field));
            case Operator::present: return negated(missing(field, value_of(field)));
            case Operator::ne: return negated(test(field, Operator::eq, condition.values));
            case Operator::not_in: return negated(test(field, Operator::in, condition.values));
            case Operator::not_contains: return negated(test(field, Operator::contains, condition.values));
            default: return test(field, condition.op, condition.values);
        }
    }

    std::string search(const std::vector<Scalar>& values) {
        std::vector<std::string> terms;
        for (const Scalar& value : values) terms.push_back(std::get<std::string>(value));
        if (terms.empty()) return std::string(never);
        return of(dialect_.search, "search_text", bind_list(std::move(terms), dialect_.text));
    }

    std::string test(const FieldRef& field, Operator op, const std::vector<Scalar>& values) {
        switch (kind_of(field)) {
            case FieldKind::text: return test_text(value_of(field), op, values, Empty::is_missing);
            case FieldKind::map_key: return test_map_key(value_of(field), op, values);
            case FieldKind::text_list: return test_list(value_of(field), op, values);
            case FieldKind::id: return test_id(field, op, values);
            case FieldKind::number: return test_number(field, op, values);
            case FieldKind::map: break;  // only missing and present, which are not tests
        }
        return std::string(never);
    }

    enum class Empty { is_missing, is_a_value };

    std::string test_text(const std::string& x, Operator op, const std::vector<Scalar>& values, Empty empty) {
        const bool there = empty == Empty::is_a_value;
        const std::string present = there ? std::string(always) : fmt::format("{} != ''", x);
        const auto present_and = [&](const std::string& condition) {
            return there ? condition : all_of({present, condition});
        };
        if (op == Operator::in) {
            std::vector<std::string> texts;
            for (const Scalar& value : values)
                if (const auto* text = std::get_if<std::string>(&value); text && (there || !text->empty()))
                    texts.push_back(*text);
            if (texts.empty()) return std::string(never);
            return of(dialect_.is_in, x, bind_list(std::move(texts), dialect_.text));
        }
        const std::string& value = std::get<std::string>(values.front());
        switch (op) {
            case Operator::contains: return test_part(dialect_.contains, x, value, present);
            case Operator::starts_with: return test_part(dialect_.starts_with, x, value, present);
            case Operator::ends_with: return test_part(dialect_.ends_with, x, value, present);
            case Operator::regex: return present_and(of(dialect_.regex, x, bind(value, dialect_.text)));
            case Operator::eq:
                if (value.empty() && !there) return std::string(never);
                return fmt::format("{} = {}", x, bind(value, dialect_.text));
            default: return present_and(fmt::format("{} {} {}", x, symbol(op), bind(value, dialect_.text)));
        }
    }

    std::string test_part(std::string_view how, const std::string& x, std::string_view part,
                          const std::string& present) {
        if (part.empty()) return present;
        std::string lower;
        fold_case(part, lower);
        return of(how, of(dialect_.lower, x), bind(std::move(lower), dialect_.text));
    }

    std::string test_list(const std::string& x, Operator op, const std::vector<Scalar>& values) {
        if (op == Operator::in) {
            std::vector<std::string> texts;
            for (const Scalar& value : values) texts.push_back(std::get<std::string>(value));
            if (texts.empty()) return std::string(never);
            return of(dialect_.list_has_any, x, bind_list(std::move(texts), dialect_.text));
        }
        if (op == Operator::eq || op == Operator::contains)
            return of(dialect_.list_has, x, bind(values.front()));
        return fill(dialect_.list_any, arg("x", x),
                    arg("c", test_text("element", op, values, Empty::is_a_value)));
    }

    // Texts compare with the stored text, numbers with what reads as one.
    std::string test_map_key(const std::string& x, Operator op, const std::vector<Scalar>& values) {
        const bool text = std::holds_alternative<std::string>(values.empty() ? Scalar() : values.front());
        if (op != Operator::in && text) return test_text(x, op, values, Empty::is_missing);
        const std::string number = of(dialect_.number_in, x);
        if (op != Operator::in) return compare(number, op, values.front());
        std::vector<Scalar> numbers;
        std::copy_if(values.begin(), values.end(), std::back_inserter(numbers),
                     [](const Scalar& value) { return !std::holds_alternative<std::string>(value); });
        std::vector<std::string> either = {test_text(x, op, values, Empty::is_missing)};
        if (!numbers.empty()) either.push_back(is_one_of(number, numbers));
        return any_of(either);
    }

    std::string test_id(const FieldRef& field, Operator op, const std::vector<Scalar>& values) {
        const std::string x = value_of(field);
        const std::string zero(id_size(field), '\0');
        if (op == Operator::in || op == Operator::eq) {
            std::vector<std::string> ids;
            for (const Scalar& value : values) {
                const std::string& id = std::get<std::string>(value);
                if (id.size() == zero.size() && id != zero) ids.push_back(id);
            }
            if (ids.empty()) return std::string(never);
            if (ids.size() == 1)
                return fmt::format("{} = {}", x, bind(std::move(ids.front()), id_type(field)));
            return of(dialect_.is_in, x, bind_list(std::move(ids), id_type(field)));
        }
        return all_of(
            {negated(missing(field, x)), fmt::format("{} {} {}", x, symbol(op), bind(values.front()))});
    }

    std::string test_number(const FieldRef& field, Operator op, const std::vector<Scalar>& values) {
        if (op == Operator::in && is_time(field) && has_calendar_times(values)) {
            std::vector<std::string> times;
            for (const Scalar& value : values) times.push_back(calendar_time(std::get<std::int64_t>(value)));
            return of(dialect_.is_in, field.column->name, bind_list(std::move(times), dialect_.time));
        }
        if (op == Operator::in) return is_one_of(value_of(field), values);
        const Scalar& value = values.front();
        // ts as it is kept, so that the primary key and the partitions help.
        const auto* whole = std::get_if<std::int64_t>(&value);
        if (is_time(field) && whole != nullptr)
            return fmt::format("{} {} {}", field.column->name, symbol(op), time(UnixNanos{*whole}));
        const std::string condition = fmt::format("{} {} {}", value_of(field), symbol(op), bind(value));
        return may_be_missing(field) ? of(dialect_.if_null_false, condition) : condition;
    }

    static bool is_time(const FieldRef& field) {
        return field.column != nullptr && field.column->type == ColumnType::time;
    }
    // Others are compared as integers.
    static bool has_calendar_times(const std::vector<Scalar>& values) {
        return std::ranges::all_of(values, [](const Scalar& value) {
            const auto* at = std::get_if<std::int64_t>(&value);
            return at != nullptr && *at >= 0;
        });
    }
    static std::string calendar_time(std::int64_t at) {
        constexpr std::int64_t second = Nanos::seconds(1).count;
        const std::chrono::sys_seconds time{std::chrono::seconds(at / second)};
        return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:09}", time, at % second);
    }

    std::string compare(const std::string& x, Operator op, const Scalar& value) {
        return of(dialect_.if_null_false, fmt::format("{} {} {}", x, symbol(op), bind(value)));
    }

    std::string is_one_of(const std::string& x, const std::vector<Scalar>& values) {
        std::vector<std::int64_t> whole;
        std::vector<std::string> either;
        for (const Scalar& value : values) {
            if (const auto* number = std::get_if<std::int64_t>(&value))
                whole.push_back(*number);
            else
                either.push_back(compare(x, Operator::eq, value));
        }
        if (whole.size() == 1) either.push_back(compare(x, Operator::eq, whole.front()));
        if (whole.size() > 1)
            either.push_back(of(dialect_.if_null_false,
                                of(dialect_.list_has, bind_list(std::move(whole), dialect_.integer), x)));
        return any_of(either);
    }

    std::string time(UnixNanos at) {
        return fill(dialect_.integer_as_time, arg("v", bind(at.since_epoch, dialect_.integer)));
    }

    // Scope, window and what was there: what both kinds of questions have beside their filter.
    template <class Question>
    std::vector<std::string> place(const Question& question) {
        std::vector<std::string> where = belongs_to(question.scope);
        if (question.window.from) where.push_back(fmt::format("ts >= {}", time(*question.window.from)));
        if (question.window.to) where.push_back(fmt::format("ts < {}", time(*question.window.to)));
        if (question.up_to_seq)
            where.push_back(fmt::format("seq <= {}", bind(*question.up_to_seq, dialect_.unsigned_integer)));
        return where;
    }

    std::vector<std::string> belongs_to(const Scope& scope) {
        std::vector<std::string> where = {fmt::format("org_id = {}", bind(scope.org(), dialect_.text))};
        if (scope.projects().size() == 1)
            where.push_back(fmt::format("project_id = {}", bind(scope.projects().front(), dialect_.text)));
        else if (!scope.projects().empty())
            where.push_back(of(dialect_.is_in, "project_id", bind_list(scope.projects(), dialect_.text)));
        return where;
    }

    // ----- rows

    static std::vector<const ColumnInfo*> wanted(const RowQuestion& question) {
        std::vector<const ColumnInfo*> columns;
        for (const ColumnInfo& column : columns_of(question.table)) {
            const bool always_there =
                column.name == "ts" || column.name == "trace_id" || column.name == "span_id";
            if (question.columns.empty() || always_there ||
                std::find(question.columns.begin(), question.columns.end(), &column) !=
                    question.columns.end())
                columns.push_back(&column);
        }
        return columns;
    }

    void add_selected(const ColumnInfo& column, const RowQuestion& question,
                      std::vector<std::string>& columns) {
        const bool cut = question.content_bytes && column.type == ColumnType::text && column.has(content);
        if (cut) {
            const auto bytes = static_cast<std::uint64_t>(*question.content_bytes) + 1;
            columns.push_back(fmt::format(
                "{} AS {}", of(dialect_.prefix, column.name, bind(bytes, dialect_.unsigned_integer)),
                column.name));
            return;
        }
        columns.emplace_back(column.name);
        if (column.type == ColumnType::map) columns.push_back(fmt::format("{}_types", column.name));
    }

    std::string select(const RowQuestion& question) {
        std::vector<std::string> columns;
        for (const ColumnInfo* column : wanted(question)) add_selected(*column, question, columns);
        std::vector<std::string> where = place(question);
        if (!question.filter.always()) where.push_back(filtered(question.filter));
        if (question.after) where.push_back(behind(question));
        return fmt::format("SELECT {} FROM {} WHERE {}{}", fmt::join(columns, ", "),
                           table_name(question.table), all_of(where), ordered(question));
    }
    std::string ordered(const RowQuestion& question) {
        std::string text = fmt::format(" ORDER BY {}", order(question));
        if (question.limit != 0) text += fmt::format(" LIMIT {}", question.limit);
        return text;
    }
    static bool is_merged(const RowQuestion& question) {
        const std::size_t projects = question.scope.projects().size();
        return projects > 1 && projects <= most_merged_projects && question.limit != 0 && by_time(question) &&
               !names_times(question.filter);
    }
    // Rows of known times are found in all projects at once.
    static bool names_times(const Filter& filter) {
        if (filter.kind == Filter::Kind::all) return std::ranges::any_of(filter.children, names_times);
        return filter.kind == Filter::Kind::condition && filter.condition.op == Operator::in &&
               is_time(filter.condition.field);
    }

    static bool by_time(const RowQuestion& question) {
        if (question.order.empty()) return true;
        const FieldRef& first = question.order.front().field;
        return question.order.size() == 1 && first.column != nullptr && first.column->name == "ts";
    }
    static bool descending(const RowQuestion& question) {
        return question.order.empty() || question.order.front().descending;
    }
    static bool has_ids(const RowQuestion& question) {
        return find_column(question.table, "trace_id") != nullptr;
    }

    std::string order(const RowQuestion& question) {
        std::vector<std::string> terms;
        const auto add = [&](std::string_view x, bool down) {
            terms.push_back(fmt::format("{} {}", x, down ? "DESC" : "ASC"));
        };
        if (!by_time(question)) {
            for (const Order& by : question.order) {
                const std::string x = value_of(by.field);
                if (kind_of(by.field) == FieldKind::number) {
                    terms.push_back(
                        fmt::format("{} {} {}", x, by.descending ? "DESC" : "ASC", dialect_.nulls_last));
                } else {
                    add(missing(by.field, x), false);
                    add(x, by.descending);
                }
            }
        }
        add("ts", descending(question));
        if (has_ids(question)) {
            add("trace_id", descending(question));
            add("span_id", descending(question));
        }
        return fmt::format("{}", fmt::join(terms, ", "));
    }

    // One step of the order: rows that come behind it, and rows that it does not tell apart.
    struct Step {
        std::string behind, same;
    };

    std::string behind(const RowQuestion& question) {
        const RowQuestion::Position& after = *question.after;
        std::vector<Step> steps;
        if (!by_time(question))
            for (std::size_t i = 0; i < question.order.size(); ++i)
                steps.push_back(step(question.order[i], after.values[i]));
        const std::string_view way = descending(question) ? "<" : ">";
        const auto add = [&](std::string_view x, const auto& value) {
            const std::string v = value();
            steps.push_back({fmt::format("{} {} {}", x, way, v), fmt::format("{} = {}", x, v)});
        };
        add("ts", [&] { return time(after.ts); });
        if (has_ids(question)) {
            const auto raw = [](const auto& id) {
                return std::string(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
            };
            add("trace_id", [&] { return bind(raw(after.trace_id), dialect_.trace_id); });
            add("span_id", [&] { return bind(raw(after.span_id), dialect_.span_id); });
        }
        std::string tree = std::string(never);
        for (std::size_t i = steps.size(); i-- > 0;)
            tree = any_of({steps[i].behind, all_of({steps[i].same, tree})});
        tree = fill(dialect_.not_for_indexes, arg("c", tree));
        // Said once more by itself, so that the primary key helps.
        if (!by_time(question)) return tree;
        return all_of({fmt::format("ts {}= {}", way, time(after.ts)), tree});
    }

    Step step(const Order& order, const std::optional<Scalar>& value) {
        const FieldRef& field = order.field;
        const std::string x = value_of(field);
        const std::string is_missing = missing(field, x);
        const bool real = is_real(field);
        if (!value) return {std::string(never), is_missing};
        const std::string is_nan = real ? of(dialect_.is_nan, x) : std::string(never);
        const auto* number = std::get_if<double>(&*value);
        if (number != nullptr && std::isnan(*number)) return {is_missing, is_nan};

        Scalar bound = *value;
        if (const auto* whole = std::get_if<std::int64_t>(&bound); whole != nullptr && real)
            bound = static_cast<double>(*whole);
        const std::string v = bind(bound);
        const auto there = [&](std::string condition) {
            if (kind_of(field) == FieldKind::number)
                return may_be_missing(field) ? of(dialect_.if_null_false, condition) : condition;
            return all_of({negated(is_missing), std::move(condition)});
        };
        std::vector<std::string> behind = {
            there(fmt::format("{} {} {}", x, order.descending ? "<" : ">", v))};
        if (may_be_missing(field)) behind.push_back(is_missing);
        if (real) behind.push_back(is_nan);
        return {any_of(behind), there(fmt::format("{} = {}", x, v))};
    }

    // ----- figures

    std::string group_key(const FieldRef& field) {
        const std::string x = value_of(field);
        return kind_of(field) == FieldKind::text_list ? of(dialect_.each_element, x) : x;
    }

    // A group as a cell of the answer.
    std::string shown(const FieldRef& field, const std::string& key) const {
        switch (kind_of(field)) {
            case FieldKind::text:
            case FieldKind::map_key: return of(dialect_.null_if_empty, of(dialect_.as_text, key));
            case FieldKind::id: return of(dialect_.null_if_zero_id, key);
            case FieldKind::number: return is_real(field) ? key : of(dialect_.as_integer, key);
            default: return key;
        }
    }

    std::string counted(const Aggregate& aggregate) {
        std::vector<std::string> conditions;
        if (aggregate.function == Aggregate::Function::count) return filtered(aggregate.only);
        const FieldRef& field = aggregate.field;
        const std::string x = value_of(field);
        if (!aggregate.only.always()) conditions.push_back(filtered(aggregate.only));
        if (may_be_missing(field)) conditions.push_back(negated(missing(field, x)));
        if (field.column != nullptr && field.column->type == ColumnType::duration)
            conditions.push_back(of(dialect_.if_null_false, fmt::format("{} >= 0", x)));
        return all_of(conditions);
    }

    std::string figure(const Aggregate& aggregate) {
        const std::string c = counted(aggregate);
        if (aggregate.function == Aggregate::Function::count) return fill(dialect_.count, arg("c", c));
        const FieldRef& field = aggregate.field;
        const std::string x = value_of(field);
        const auto filled = [&](std::string_view how, std::string_view what) {
            return fill(how, arg("x", what), arg("c", c), arg("v", aggregate.level));
        };
        const bool list = kind_of(field) == FieldKind::text_list;
        const bool number = kind_of(field) == FieldKind::number;
        const bool real = is_real(field);
        switch (aggregate.function) {
            case Aggregate::Function::count: break;
            case Aggregate::Function::sum:
                return filled(real ? dialect_.sum_of_numbers : dialect_.sum_of_integers, x);
            case Aggregate::Function::avg:
                return filled(real ? dialect_.avg_of_numbers : dialect_.avg_of_integers, x);
            case Aggregate::Function::min: return filled(dialect_.min, end_value(field, x));
            case Aggregate::Function::max: return filled(dialect_.max, end_value(field, x));
            case Aggregate::Function::quantile: return filled(dialect_.quantile, x);
            case Aggregate::Function::distinct:
                return filled(list ? dialect_.distinct_elements : dialect_.distinct, x);
            case Aggregate::Function::values:
                if (list) return filled(dialect_.values_of_elements, x);
                return filled(dialect_.values, number ? of(dialect_.as_text, x) : end_value(field, x));
        }
        return {};
    }

    // A value as a cell of the answer.
    std::string end_value(const FieldRef& field, const std::string& x) const {
        if (is_real(field)) return x;
        return of(kind_of(field) == FieldKind::number ? dialect_.as_integer : dialect_.as_text, x);
    }

    Statement& statement() { return statement_; }

private:
    const Dialect& dialect_;
    Statement statement_;
};

Text cut(const Text& text, std::size_t bytes) {
    Text short_text;
    for (std::size_t row = 0; row < text.stored(); ++row) short_text.put(row, utf8_prefix(text[row], bytes));
    return short_text;
}

}  // namespace

struct StatementParts::Parts {
    Renderer renderer;
    const Dialect& dialect;
};

StatementParts::StatementParts(const Dialect& dialect)
    : parts_(std::unique_ptr<Parts>(new Parts{Renderer(dialect), dialect})) {}
StatementParts::~StatementParts() = default;

std::string StatementParts::bind(std::int64_t value) {
    return parts_->renderer.bind(value, parts_->dialect.integer);
}
std::string StatementParts::bind(std::vector<std::int64_t> values) {
    return parts_->renderer.bind_list(std::move(values), parts_->dialect.integer);
}
std::string StatementParts::matches(const Filter& filter) {
    return parts_->renderer.filtered(filter);
}
std::string StatementParts::belongs_to(const Scope& scope) {
    return all_of(parts_->renderer.belongs_to(scope));
}
std::string StatementParts::moment(UnixNanos at) {
    return parts_->renderer.time(at);
}
std::string StatementParts::group_key(const FieldRef& field) {
    return parts_->renderer.group_key(field);
}
std::string StatementParts::shown(const FieldRef& field, const std::string& key) const {
    return parts_->renderer.shown(field, key);
}
std::string StatementParts::value_of(const FieldRef& field) {
    return parts_->renderer.value_of(field);
}
std::string StatementParts::counted(const Aggregate& aggregate) {
    return parts_->renderer.counted(aggregate);
}
std::string StatementParts::figure(const Aggregate& aggregate) {
    return parts_->renderer.figure(aggregate);
}
Statement StatementParts::put_together(std::string sql) {
    parts_->renderer.statement().sql = std::move(sql);
    return std::move(parts_->renderer.statement());
}

Result<void> check(const RowQuestion& question) {
    OBS_TRY(Matcher::compile(question.table, question.filter));
    return {};
}

Result<void> check(const GroupQuestion& question) {
    OBS_TRY(Matcher::compile(question.table, question.filter));
    OBS_TRY(Grouping::start(question));
    return {};
}

Statement render(const RowQuestion& question, const Dialect& dialect) {
    return Renderer(dialect).rows(question);
}

Statement render(const GroupQuestion& question, const Dialect& dialect) {
    return Renderer(dialect).groups(question);
}

std::vector<std::string> figure_names(const GroupQuestion& question) {
    std::vector<std::string> names;
    if (question.interval) names.emplace_back("bucket");
    for (const FieldRef& field : question.group_by) names.push_back(field_name(field));
    for (const Aggregate& aggregate : question.aggregates) names.push_back(aggregate.name);
    return names;
}

void cut_content(AnyBatch& rows, std::size_t bytes) {
    std::visit(
        [&](auto& batch) {
            batch.for_each_column([&]<class Column>(const ColumnInfo& info, Column& column) {
                if constexpr (std::is_same_v<Column, Text>)
                    if (info.has(content)) column = cut(column, bytes);
            });
        },
        rows);
}

}  // namespace obs
