#include "query/condition.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include <re2/re2.h>

#include "query/time_expression.h"
#include "text/tokeniser.h"

namespace obs::query {

namespace {

const Filter nothing{.kind = Filter::Kind::any};
const Filter everything{};

Filter condition(const FieldRef& field, Operator op, std::vector<Scalar> values = {}) {
    return Filter::where({field, op, std::move(values)});
}
Filter any_of(std::vector<Filter> children) {
    return {Filter::Kind::any, std::move(children), {}};
}
Filter none_of(std::vector<Filter> children) {
    return {Filter::Kind::none, std::move(children), {}};
}

std::unexpected<Error> expected(std::string_view what, Operator op) {
    return fail(ErrorKind::invalid_input, "operator {} expects {} here", name_of(op), what);
}

std::optional<double> number_in(const Value& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
    if (const auto* number = std::get_if<double>(&value); number != nullptr && std::isfinite(*number))
        return *number;
    return std::nullopt;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

// ---- numbers ----

// The integer at or below a number of the store's unit.
struct Scaled {
    std::int64_t below;
    bool exact;
};

Scaled scaled(const Value& value, double number, std::int64_t scale) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        std::int64_t product = 0;
        if (!__builtin_mul_overflow(*integer, scale, &product)) return {product, true};
    }
    const double units = number * static_cast<double>(scale);
    constexpr double end = 9.2e18;
    if (units >= end) return {std::numeric_limits<std::int64_t>::max(), false};
    if (units <= -end) return {std::numeric_limits<std::int64_t>::min(), false};
    // 0.07 dollars times 10^9 is 70000000.00000001 in a double: what is that near is meant.
    const double nearest = std::round(units);
    if (std::abs(units - nearest) < 1e-3) return {static_cast<std::int64_t>(nearest), true};
    return {static_cast<std::int64_t>(std::floor(units)), false};
}

Filter compared(const FieldRef& field, Operator op, Scaled with) {
    if (!with.exact) {
        const bool above = op == Operator::gt || op == Operator::gte;
        return condition(field, above ? Operator::gt : Operator::lte, {with.below});
    }
    return condition(field, op, {with.below});
}

// A value that is shown rounded equals all values that are shown alike.
Filter equal_when_rounded(const FieldRef& field, double milliseconds) {
    if (std::round(milliseconds) != milliseconds || std::abs(milliseconds) > 9e12) return nothing;
    const auto middle = static_cast<std::int64_t>(milliseconds) * 1'000'000;
    Filter both;
    both.also(condition(field, Operator::gte, {middle - 500'000}));
    both.also(condition(field, Operator::lt, {middle + 500'000}));
    return both;
}

std::int64_t scale_of(FieldKind kind) {
    switch (kind) {
        case FieldKind::milliseconds:
        case FieldKind::whole_milliseconds: return 1'000'000;
        case FieldKind::dollars: return 1'000'000'000;
        default: return 1;
    }
}

// eq and in; ne and not_in are their opposites.
Result<Filter> equal_to_numbers(const NamedField& field, Operator op, std::span<const Value> values) {
    std::vector<Filter> children;
    std::vector<Scalar> exact;
    for (const Value& value : values) {
        const auto number = number_in(value);
        if (!number) return expected("a number", op);
        if (field.field->kind == FieldKind::number) {
            exact.emplace_back(*number);
        } else if (field.field->kind == FieldKind::whole_milliseconds) {
            children.push_back(equal_when_rounded(field.ref(), *number));
        } else if (const Scaled wanted = scaled(value, *number, scale_of(field.field->kind)); wanted.exact) {
            exact.emplace_back(wanted.below);
        }
    }
    if (exact.size() == 1)
        children.push_back(condition(field.ref(), Operator::eq, std::move(exact)));
    else if (exact.size() > 1)
        children.push_back(condition(field.ref(), Operator::in, std::move(exact)));
    return children.size() == 1 ? std::move(children.front()) : any_of(std::move(children));
}

Result<Filter> where_number(const NamedField& field, Operator op, std::span<const Value> values) {
    if (op == Operator::eq || op == Operator::in) return equal_to_numbers(field, op, values);
    if (op == Operator::ne || op == Operator::not_in)
        return none_of({OBS_TRY(equal_to_numbers(field, op, values))});
    const auto number = number_in(values.front());
    if (!number) return expected("a number", op);
    if (field.field->kind == FieldKind::number) return condition(field.ref(), op, {*number});
    return compared(field.ref(), op, scaled(values.front(), *number, scale_of(field.field->kind)));
}

// ---- what becomes one scalar each ----

template <std::size_t N, class Tag>
Scalar raw(const RawId<N, Tag>& id) {
    std::string bytes(N, '\0');
    std::memcpy(bytes.data(), id.bytes.data(), N);
    return bytes;
}

Result<Scalar> time_scalar(const Value& value, Operator op, UnixNanos now) {
    if (const auto* text = std::get_if<std::string>(&value))
        return Scalar(OBS_TRY(parse_time(*text, now)).since_epoch);
    const auto number = number_in(value);
    if (!number) return expected("a time", op);
    return Scalar(OBS_TRY(time_of_number(*number)).since_epoch);
}

Result<Scalar> flag_scalar(const Value& value, Operator op) {
    if (const auto* flag = std::get_if<bool>(&value)) return Scalar(std::int64_t{*flag ? 1 : 0});
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number != nullptr && (*number == 0 || *number == 1)) return Scalar(*number);
    return expected("true or false", op);
}

Result<Scalar> word_scalar(const Value& value, Operator op, FieldKind kind) {
    const bool status = kind == FieldKind::status;
    if (const auto* text = std::get_if<std::string>(&value))
        if (const auto code = status ? status_from(*text) : span_kind_from(*text))
            return Scalar(std::int64_t{*code});
    return expected(status ? "OK, ERROR or UNSET" : "internal, server, client, producer or consumer", op);
}

Result<Scalar> id_scalar(const Value& value, Operator op, FieldKind kind) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        if (kind == FieldKind::trace_id) {
            if (const auto id = trace_id_from(*text)) return raw(*id);
        } else if (const auto id = span_id_from(*text)) {
            return raw(*id);
        }
    }
    return expected(
        kind == FieldKind::trace_id ? "an id of 1 to 32 hex digits" : "an id of 1 to 16 hex digits", op);
}

Result<Scalar> text_scalar(const Value& value, Operator op) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return expected("text", op);
    if (text->size() > text_bytes_limit)
        return fail(ErrorKind::invalid_input, "a value may have {} bytes, not {}", text_bytes_limit,
                    text->size());
    return Scalar(*text);
}

Result<Scalar> attribute_scalar(const Value& value, Operator op) {
    if (const auto* flag = std::get_if<bool>(&value)) return Scalar(std::string(*flag ? "true" : "false"));
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return Scalar(*integer);
    if (const auto number = number_in(value)) return Scalar(*number);
    return text_scalar(value, op);
}

Result<Scalar> scalar(const NamedField& field, const Value& value, Operator op, UnixNanos now) {
    switch (field.field->kind) {
        case FieldKind::time: return time_scalar(value, op, now);
        case FieldKind::flag: return flag_scalar(value, op);
        case FieldKind::status:
        case FieldKind::span_kind: return word_scalar(value, op, field.field->kind);
        case FieldKind::trace_id:
        case FieldKind::span_id: return id_scalar(value, op, field.field->kind);
        case FieldKind::map: return attribute_scalar(value, op);
        default: return text_scalar(value, op);
    }
}

// ---- texts ----

Result<void> check_regex(std::string_view pattern) {
    if (characters(pattern) > regex_characters_limit)
        return fail(ErrorKind::invalid_input, "a regex may have {} characters", regex_characters_limit);
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(false);
    const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!compiled.ok())
        return fail(ErrorKind::invalid_input, "not a regex of RE2 syntax: {}", compiled.error());
    return {};
}

void add_equal(std::vector<Filter>& children, const FieldRef& field, std::vector<Scalar> values) {
    if (values.empty()) return;
    const Operator op = values.size() == 1 ? Operator::eq : Operator::in;
    children.push_back(condition(field, op, std::move(values)));
}

// Empty text is missing text in every store, so a question for it is one for what is missing. Numbers and
// texts compare differently (decision 18), so each kind gets its own condition.
Filter equal_to_texts(const NamedField& field, std::vector<Scalar> values) {
    std::vector<Scalar> texts, numbers;
    bool or_missing = false;
    for (Scalar& value : values) {
        const auto* text = std::get_if<std::string>(&value);
        if (text != nullptr && text->empty())
            or_missing = true;
        else
            (text != nullptr ? texts : numbers).push_back(std::move(value));
    }
    std::vector<Filter> children;
    if (or_missing) children.push_back(condition(field.ref(), Operator::missing));
    add_equal(children, field.ref(), std::move(texts));
    add_equal(children, field.ref(), std::move(numbers));
    return children.size() == 1 ? std::move(children.front()) : any_of(std::move(children));
}

Filter where_listed(const NamedField& field, Operator op, std::vector<Scalar> values) {
    std::vector<Filter> children;
    for (Scalar& value : values)
        children.push_back(condition(field.ref(), Operator::contains, {std::move(value)}));
    const bool negated = op == Operator::ne || op == Operator::not_in || op == Operator::not_contains;
    return negated ? none_of(std::move(children)) : any_of(std::move(children));
}

Result<Filter> where_scalars(const NamedField& field, Operator op, std::span<const Value> values,
                             UnixNanos now) {
    std::vector<Scalar> scalars;
    for (const Value& value : values) scalars.push_back(OBS_TRY(scalar(field, value, op, now)));
    const FieldKind kind = field.field->kind;
    if (kind == FieldKind::list) return where_listed(field, op, std::move(scalars));
    if (op == Operator::regex) OBS_TRY_VOID(check_regex(std::get<std::string>(scalars.front())));
    const bool texts = kind == FieldKind::text || kind == FieldKind::map;
    if (texts && (op == Operator::eq || op == Operator::in)) return equal_to_texts(field, std::move(scalars));
    if (texts && (op == Operator::ne || op == Operator::not_in))
        return none_of({equal_to_texts(field, std::move(scalars))});
    return condition(field.ref(), op, std::move(scalars));
}

// ---- null ----

bool never_missing(const Field& field) {
    if (field.column == nullptr || field.column->optional) return false;
    switch (field.kind) {
        case FieldKind::text:
        case FieldKind::list:
        case FieldKind::map:
        case FieldKind::json:
        case FieldKind::trace_id:
        case FieldKind::span_id: return false;
        default: return true;
    }
}

Filter where_missing(TableId table, const NamedField& field) {
    if (field.field->kind == FieldKind::parameters) {
        std::vector<Filter> present;
        for (const std::string_view name : parameter_columns())
            present.push_back(condition({find_column(table, name)}, Operator::present));
        return none_of(std::move(present));
    }
    return never_missing(*field.field) ? nothing : condition(field.ref(), Operator::missing);
}

Filter where_present(TableId table, const NamedField& field) {
    if (field.field->kind == FieldKind::parameters) return none_of({where_missing(table, field)});
    return never_missing(*field.field) ? everything : condition(field.ref(), Operator::present);
}

bool is_null(const Value& value) {
    return std::holds_alternative<std::nullptr_t>(value);
}

std::unexpected<Error> not_taken(const NamedField& field, Operator op) {
    if (field.field->kind == FieldKind::map)
        return fail(ErrorKind::invalid_input, "name one of the keys, as in {}.<key>", field.field->name);
    return fail(ErrorKind::invalid_input, "this field does not take the operator {}", name_of(op));
}

bool on_map(const Condition& condition) {
    return condition.field.column != nullptr && condition.field.column->type == ColumnType::map;
}

}  // namespace

Result<Filter> where_found(TableId table, std::string_view text) {
    if (text.size() > search_bytes_limit)
        return fail(ErrorKind::invalid_input, "a search may have {} bytes, not {}", search_bytes_limit,
                    text.size());
    const ColumnInfo* column = find_column(table, "search_text");
    if (column == nullptr) return fail(ErrorKind::invalid_input, "nothing here can be searched");
    std::vector<Scalar> terms;
    for (std::string& term : Tokeniser().query_terms(text)) terms.emplace_back(std::move(term));
    return terms.empty() ? nothing : condition({column}, Operator::search, std::move(terms));
}

Result<Filter> where(TableId table, const NamedField& field, Operator op, std::span<const Value> values,
                     UnixNanos now) {
    const bool many = op == Operator::in || op == Operator::not_in;
    if (values.empty() || (!many && values.size() != 1))
        return expected(many ? "a list of at least one value" : "one value", op);
    if (values.size() > list_values_limit)
        return fail(ErrorKind::invalid_input, "a list may have {} values, not {}", list_values_limit,
                    values.size());
    if (op == Operator::eq && is_null(values.front())) return where_missing(table, field);
    if (op == Operator::ne && is_null(values.front())) return where_present(table, field);
    if (!takes(*field.field, op) || (field.field->kind == FieldKind::map && field.key.empty()))
        return not_taken(field, op);
    switch (field.field->kind) {
        case FieldKind::integer:
        case FieldKind::number:
        case FieldKind::repairs:
        case FieldKind::milliseconds:
        case FieldKind::whole_milliseconds:
        case FieldKind::dollars: return where_number(field, op, values);
        default: break;
    }
    const bool compares =
        op == Operator::lt || op == Operator::lte || op == Operator::gt || op == Operator::gte;
    if (field.field->kind == FieldKind::map && compares && !number_in(values.front()))
        return expected("a number", op);
    const bool text_only = !compares && op != Operator::eq && op != Operator::ne && !many;
    if (text_only && !std::holds_alternative<std::string>(values.front())) return expected("text", op);
    if (op == Operator::search) return where_found(table, std::get<std::string>(values.front()));
    return where_scalars(field, op, values, now);
}

const ColumnInfo* content_read_by(const Filter& filter) {
    if (filter.kind == Filter::Kind::condition) {
        const ColumnInfo* column = filter.condition.field.column;
        return column != nullptr && shows_content(*column) ? column : nullptr;
    }
    for (const Filter& child : filter.children)
        if (const ColumnInfo* column = content_read_by(child)) return column;
    return nullptr;
}

std::string slow_attribute_of(const Filter& filter) {
    if (filter.kind == Filter::Kind::condition) {
        const Condition& asked = filter.condition;
        const bool quick = asked.op == Operator::eq || asked.op == Operator::in;
        if (!on_map(asked) || asked.field.key.empty() || quick) return {};
        return std::string(asked.field.column->name) + "." + asked.field.key;
    }
    for (const Filter& child : filter.children) {
        // The opposite of a quick question is a slow one.
        if (filter.kind == Filter::Kind::none && child.kind == Filter::Kind::condition &&
            on_map(child.condition) && !child.condition.field.key.empty())
            return std::string(child.condition.field.column->name) + "." + child.condition.field.key;
        if (std::string name = slow_attribute_of(child); !name.empty()) return name;
    }
    return {};
}

Window narrowed(Window window, const Filter& filter) {
    if (filter.kind == Filter::Kind::all) {
        for (const Filter& child : filter.children) window = narrowed(window, child);
        return window;
    }
    if (filter.kind != Filter::Kind::condition) return window;
    const Condition& asked = filter.condition;
    if (asked.field.column == nullptr || asked.field.column->name != "ts" || asked.values.size() != 1)
        return window;
    const UnixNanos at{std::get<std::int64_t>(asked.values.front())};
    if (asked.op == Operator::gte || asked.op == Operator::gt || asked.op == Operator::eq)
        window.from = std::max(window.from.value_or(at), at);
    if (asked.op == Operator::lt || asked.op == Operator::lte || asked.op == Operator::eq) {
        const UnixNanos end = asked.op == Operator::lt ? at : at + Nanos{1};
        window.to = std::min(window.to.value_or(end), end);
    }
    return window;
}

bool names_traces(const Filter& filter) {
    if (filter.kind == Filter::Kind::all) return std::ranges::any_of(filter.children, names_traces);
    const Condition& asked = filter.condition;
    return filter.kind == Filter::Kind::condition && asked.field.column != nullptr &&
           asked.field.column->name == "trace_id" && (asked.op == Operator::eq || asked.op == Operator::in);
}

}  // namespace obs::query
