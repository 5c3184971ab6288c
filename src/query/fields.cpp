#include "query/fields.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace obs::query {

namespace {

// What the type of a column alone does not say.
struct Special {
    std::string_view column;
    FieldKind kind;
};
constexpr Special specials[] = {
    {"status_code", FieldKind::status},
    {"span_kind", FieldKind::span_kind},
    {"is_root", FieldKind::flag},
    {"is_call", FieldKind::flag},
    {"streaming", FieldKind::flag},
    {"is_monotonic", FieldKind::flag},
    {"flags", FieldKind::repairs},
    {"duration", FieldKind::whole_milliseconds},
    {"resource", FieldKind::json},
    {"input_messages", FieldKind::json},
    {"output_messages", FieldKind::json},
    {"tool_calls", FieldKind::json},
    {"tool_definitions", FieldKind::json},
    {"events", FieldKind::json},
    {"links", FieldKind::json},
    {"distribution", FieldKind::json},
    {"exemplars", FieldKind::json},
};

struct Alias {
    std::string_view column, name;
};
// Contract 1.4, 1.5 and 1.9.
constexpr Alias aliases[] = {
    {"ts", "timestamp"},
    {"duration", "latency_ms"},
    {"ttft", "time_to_first_token_ms"},
    {"prompt_cost", "input_cost_usd"},
    {"completion_cost", "output_cost_usd"},
    {"attributes", "metadata"},
    {"operation_type", "operation"},
    {"status_code", "status"},
};

constexpr std::array<std::string_view, 5> parameters{"temperature", "top_p", "top_k", "max_tokens", "seed"};

FieldKind kind_of(TableId table, const ColumnInfo& column) {
    // `flags` of a metric point are OTLP's, not ours.
    if (column.name == "flags" && table == TableId::metric_points) return FieldKind::integer;
    for (const Special& special : specials)
        if (special.column == column.name) return special.kind;
    switch (column.type) {
        case ColumnType::text:
        case ColumnType::dict: return FieldKind::text;
        case ColumnType::text_list: return FieldKind::list;
        case ColumnType::map: return FieldKind::map;
        case ColumnType::f64: return FieldKind::number;
        case ColumnType::boolean: return FieldKind::flag;
        case ColumnType::time: return FieldKind::time;
        case ColumnType::duration: return FieldKind::milliseconds;
        case ColumnType::usd: return FieldKind::dollars;
        case ColumnType::trace_id: return FieldKind::trace_id;
        case ColumnType::span_id: return FieldKind::span_id;
        case ColumnType::u8:
        case ColumnType::u16:
        case ColumnType::u32:
        case ColumnType::u64:
        case ColumnType::i64:
        case ColumnType::tokens: return FieldKind::integer;
    }
    return FieldKind::text;
}

Field field_of(TableId table, const ColumnInfo& column) {
    Field field{.name = column.api_name(),
                .kind = kind_of(table, column),
                .column = &column,
                .meaning = column.meaning,
                .filterable = column.has(filterable),
                .sortable = column.has(sortable),
                .groupable = column.has(groupable)};
    for (const Alias& alias : aliases)
        if (alias.column == column.name) field.aliases.push_back(alias.name);
    return field;
}

struct Names {
    std::vector<Field> fields;
    std::unordered_map<std::string_view, const Field*> by_name;

    explicit Names(TableId table) {
        for (const ColumnInfo& column : columns_of(table)) {
            if (column.has(internal)) continue;
            fields.push_back(field_of(table, column));
            if (table == TableId::spans && column.name == "ttft") add_computed();
        }
        for (const Field& field : fields) {
            by_name.emplace(field.name, &field);
            for (const std::string_view alias : field.aliases) by_name.emplace(alias, &field);
        }
    }

private:
    void add_computed() {
        fields.push_back({.name = "tokens_per_second",
                          .kind = FieldKind::number,
                          .derived = Derived::tokens_per_second,
                          .meaning = "output tokens for each second of the duration",
                          .filterable = true});
        fields.push_back({.name = "model_parameters",
                          .kind = FieldKind::parameters,
                          .meaning = "temperature, top_p, top_k, max_tokens and seed in one object",
                          .filterable = true});
    }
};

const Names& names_of(TableId table) {
    static const Names spans(TableId::spans), logs(TableId::logs), metrics(TableId::metric_points),
        scores(TableId::scores), audit(TableId::audit);
    switch (table) {
        case TableId::logs: return logs;
        case TableId::metric_points: return metrics;
        case TableId::scores: return scores;
        case TableId::audit: return audit;
        case TableId::spans: break;
    }
    return spans;
}

struct OperatorName {
    std::string_view name;
    Operator op;
};
constexpr OperatorName operators[] = {
    {"eq", Operator::eq},
    {"ne", Operator::ne},
    {"gt", Operator::gt},
    {"gte", Operator::gte},
    {"lt", Operator::lt},
    {"lte", Operator::lte},
    {"in", Operator::in},
    {"not_in", Operator::not_in},
    {"contains", Operator::contains},
    {"not_contains", Operator::not_contains},
    {"starts_with", Operator::starts_with},
    {"ends_with", Operator::ends_with},
    {"regex", Operator::regex},
    {"search", Operator::search},
};

bool is_comparison(Operator op) {
    return op == Operator::lt || op == Operator::lte || op == Operator::gt || op == Operator::gte;
}
bool is_equality(Operator op) {
    return op == Operator::eq || op == Operator::ne || op == Operator::in || op == Operator::not_in;
}
bool is_membership(Operator op) {
    return op == Operator::contains || op == Operator::not_contains;
}
bool is_pattern(Operator op) {
    return is_membership(op) || op == Operator::starts_with || op == Operator::ends_with ||
           op == Operator::regex;
}

constexpr std::string_view statuses[] = {"UNSET", "OK", "ERROR"};
constexpr std::string_view span_kinds[] = {"unspecified", "internal", "server",
                                           "client",      "producer", "consumer"};
// In the order of the bits.
constexpr std::string_view repairs[] = {
    "negative_duration", "unfinished",      "time_unit_repaired", "bad_parent_id", "attributes_dropped",
    "attributes_cut",    "value_truncated", "invalid_utf8",       "usage_ignored", "link_dropped",
    "content_joined",    "answer_joined",   "over_budget"};

bool same_word(std::string_view a, std::string_view b) {
    constexpr auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

template <std::size_t N>
std::optional<std::uint8_t> index_of(const std::string_view (&words)[N], std::string_view word) {
    for (std::uint8_t i = 0; i < N; ++i)
        if (same_word(words[i], word)) return i;
    return std::nullopt;
}

template <class Id>
std::optional<Id> padded_id(std::string text) {
    constexpr std::size_t digits = sizeof(Id) * 2;
    if (text.empty() || text.size() > digits) return std::nullopt;
    return Id::from_hex(std::string(digits - text.size(), '0') + text);
}

}  // namespace

std::string_view Field::type() const {
    switch (kind) {
        case FieldKind::text:
        case FieldKind::status:
        case FieldKind::span_kind:
        case FieldKind::trace_id:
        case FieldKind::span_id: return "text";
        case FieldKind::list:
        case FieldKind::repairs: return "list";
        case FieldKind::map:
        case FieldKind::parameters: return "object";
        case FieldKind::json: return "json";
        case FieldKind::integer:
        case FieldKind::whole_milliseconds: return "integer";
        case FieldKind::number:
        case FieldKind::milliseconds:
        case FieldKind::dollars: return "number";
        case FieldKind::flag: return "boolean";
        case FieldKind::time: return "time";
    }
    return {};
}

std::string_view Field::unit() const {
    if (kind == FieldKind::milliseconds || kind == FieldKind::whole_milliseconds) return "milliseconds";
    if (kind == FieldKind::dollars) return "US dollars";
    if (column != nullptr && column->type == ColumnType::tokens) return "tokens";
    if (derived == Derived::tokens_per_second) return "tokens per second";
    return {};
}

std::span<const Field> fields_of(TableId table) {
    return names_of(table).fields;
}

std::optional<NamedField> find_field(TableId table, std::string_view name) {
    const auto& by_name = names_of(table).by_name;
    if (const auto found = by_name.find(name); found != by_name.end()) return NamedField{found->second};
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
    const auto parent = by_name.find(name.substr(0, dot));
    if (parent == by_name.end()) return std::nullopt;
    const std::string_view key = name.substr(dot + 1);
    if (parent->second->kind == FieldKind::map) return NamedField{parent->second, std::string(key)};
    if (parent->second->kind == FieldKind::parameters && std::ranges::count(parameters, key) != 0)
        return NamedField{by_name.at(key)};
    return std::nullopt;
}

std::span<const std::string_view> parameter_columns() {
    return parameters;
}

std::optional<Operator> operator_from(std::string_view word) {
    for (const OperatorName& known : operators)
        if (known.name == word) return known.op;
    if (word == "nin" || word == "notin") return Operator::not_in;
    return std::nullopt;
}

std::string_view name_of(Operator op) {
    for (const OperatorName& known : operators)
        if (known.op == op) return known.name;
    return op == Operator::missing ? "eq null" : "ne null";
}

bool takes(const Field& field, Operator op) {
    switch (field.kind) {
        case FieldKind::text: return is_equality(op) || is_pattern(op) || op == Operator::search;
        case FieldKind::list: return is_equality(op) || is_membership(op);
        case FieldKind::map: return is_equality(op) || is_comparison(op) || is_pattern(op);
        case FieldKind::parameters:
        case FieldKind::json: return false;
        case FieldKind::integer:
        case FieldKind::number:
        case FieldKind::repairs:
        case FieldKind::time:
        case FieldKind::milliseconds:
        case FieldKind::whole_milliseconds:
        case FieldKind::dollars: return is_equality(op) || is_comparison(op);
        case FieldKind::flag:
        case FieldKind::status:
        case FieldKind::span_kind:
        case FieldKind::trace_id:
        case FieldKind::span_id: return is_equality(op);
    }
    return false;
}

std::vector<std::string_view> operators_of(const Field& field) {
    std::vector<std::string_view> names;
    if (!field.filterable) return names;
    for (const OperatorName& known : operators)
        if (takes(field, known.op)) names.push_back(known.name);
    return names;
}

std::string_view status_word(std::uint8_t code) {
    return code < std::size(statuses) ? statuses[code] : std::string_view{};
}
std::string_view span_kind_word(std::uint8_t kind) {
    return kind < std::size(span_kinds) ? span_kinds[kind] : std::string_view{};
}
std::optional<std::uint8_t> status_from(std::string_view word) {
    return same_word(word, "SUCCESS") ? std::uint8_t{1} : index_of(statuses, word);
}
std::optional<std::uint8_t> span_kind_from(std::string_view word) {
    return index_of(span_kinds, word);
}

std::vector<std::string_view> repair_words(std::uint32_t flags) {
    std::vector<std::string_view> words;
    for (std::size_t bit = 0; bit < std::size(repairs); ++bit)
        if ((flags >> bit & 1) != 0) words.push_back(repairs[bit]);
    return words;
}

std::optional<TraceId> trace_id_from(std::string_view text) {
    std::string digits(text);
    if (digits.size() == 36) std::erase(digits, '-');
    return padded_id<TraceId>(std::move(digits));
}

std::optional<SpanId> span_id_from(std::string_view text) {
    return padded_id<SpanId>(std::string(text));
}

}  // namespace obs::query
