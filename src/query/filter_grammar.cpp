#include "query/filter_grammar.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "query/condition.h"
#include "query/fields.h"

namespace obs::query {

namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

template <class... Args>
std::unexpected<Error> bad(std::string_view field, fmt::format_string<Args...> message, Args&&... args) {
    return std::unexpected(Error{ErrorKind::invalid_input, fmt::format(message, std::forward<Args>(args)...),
                                 std::string(field)});
}

bool is_word(std::string_view text, std::string_view upper) {
    return std::ranges::equal(
        text, upper, {}, [](char c) { return c >= 'a' && c <= 'z' ? c - 0x20 : c + 0; },
        [](char c) { return c + 0; });
}

class Grammar {
public:
    Grammar(TableId table, UnixNanos now) : table_(table), now_(now) {}

    Result<Filter> node(const element& json, int depth) {
        object members;
        if (json.get(members) != simdjson::SUCCESS)
            return bad("filters",
                       "a filter is an object: a group of conditions, or {{field, operator, value}}");
        if (depth > filter_depth_limit)
            return bad("filters", "groups may be nested {} deep", filter_depth_limit);
        const bool leaf_like = has(members, "field");
        const bool group_like = has(members, "conditions") || has(members, "filters");
        if (leaf_like && group_like)
            return bad("field", "a condition with `field` has no conditions of its own");
        return leaf_like ? leaf(members) : group(members, depth);
    }

private:
    static bool has(const object& members, std::string_view key) {
        return members[key].error() == simdjson::SUCCESS;
    }

    Result<Filter> group(const object& members, int depth) {
        const bool seed = has(members, "conditions"), original = has(members, "filters");
        if (seed && original) return bad("conditions", "give either conditions or filters, not both");
        const std::string_view key = original ? "filters" : "conditions";
        std::string_view word;
        if (members["operator"].get(word) != simdjson::SUCCESS)
            return bad("operator", "a group needs the operator AND, OR or NOT");
        array list;
        if (members[key].get(list) != simdjson::SUCCESS) return bad(key, "a group needs a list `{}`", key);
        if (list.size() == 0) return bad(key, "a group needs at least one of its {}", key);
        Filter parsed;
        if (is_word(word, "AND"))
            parsed.kind = Filter::Kind::all;
        else if (is_word(word, "OR"))
            parsed.kind = Filter::Kind::any;
        else if (is_word(word, "NOT"))
            parsed.kind = Filter::Kind::none;
        else
            return bad("operator", "unknown operator of a group: {}; known are AND, OR and NOT", shown(word));
        if (parsed.kind == Filter::Kind::none && list.size() != 1)
            return bad(key, "NOT takes exactly one condition, not {}", list.size());
        for (const element& child : list) parsed.children.push_back(OBS_TRY(node(child, depth + 1)));
        return parsed;
    }

    Result<Filter> leaf(const object& members) {
        if (++leaves_ > filter_leaves_limit)
            return bad("filters", "a filter may have {} conditions", filter_leaves_limit);
        std::string_view name, word;
        if (members["field"].get(name) != simdjson::SUCCESS)
            return bad("field", "the name of a field is text");
        if (members["operator"].get(word) != simdjson::SUCCESS)
            return bad(name, "the condition on {} needs an operator", shown(name));
        const auto field = find_field(table_, name);
        if (!field) return bad(name, "unknown field {}", shown(name));
        if (!field->field->filterable) return bad(name, "{} cannot be filtered by", shown(name));
        const auto op = operator_from(word);
        if (!op) return bad(name, "unknown operator {}", shown(word));
        element value;
        if (members["value"].get(value) != simdjson::SUCCESS)
            return bad(name, "the condition on {} needs a value", shown(name));
        const std::vector<Value> values = OBS_TRY(named(name, values_of(value, *op)));
        return named(name, where(table_, *field, *op, values, now_));
    }

    // What the client wrote, short enough for a message.
    static std::string shown(std::string_view text) {
        constexpr std::size_t enough = 100;
        return fmt::format("\"{}\"", text.substr(0, enough));
    }

    template <class T>
    static Result<T> named(std::string_view field, Result<T> result) {
        if (!result) {
            result.error().field = field;
            result.error().message = fmt::format("{}: {}", shown(field), result.error().message);
        }
        return result;
    }

    static Result<std::vector<Value>> values_of(const element& json, Operator op) {
        std::vector<Value> values;
        if (op != Operator::in && op != Operator::not_in) {
            values.push_back(OBS_TRY(value_of(json)));
            return values;
        }
        array list;
        if (json.get(list) != simdjson::SUCCESS)
            return fail(ErrorKind::invalid_input, "operator {} expects a list", name_of(op));
        if (list.size() > list_values_limit)
            return fail(ErrorKind::invalid_input, "a list may have {} values", list_values_limit);
        for (const element& item : list) values.push_back(OBS_TRY(value_of(item)));
        return values;
    }

    static Result<Value> value_of(const element& json) {
        switch (json.type()) {
            case element_type::NULL_VALUE: return Value(nullptr);
            case element_type::BOOL: return Value(json.get_bool().value_unsafe());
            case element_type::INT64: return Value(json.get_int64().value_unsafe());
            case element_type::UINT64: return Value(static_cast<double>(json.get_uint64().value_unsafe()));
            case element_type::DOUBLE: return Value(json.get_double().value_unsafe());
            case element_type::STRING: return Value(std::string(json.get_string().value_unsafe()));
            case element_type::ARRAY:
            case element_type::OBJECT: break;
        }
        return fail(ErrorKind::invalid_input,
                    "a value is text, a number, true, false or null; lists go with in and "
                    "not_in");
    }

    const TableId table_;
    const UnixNanos now_;
    std::size_t leaves_ = 0;
};

}  // namespace

Result<Filter> parse_filter(TableId table, const element& json, UnixNanos now) {
    return Grammar(table, now).node(json, 1);
}

}  // namespace obs::query
