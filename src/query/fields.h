// The names of the API and the columns they stand for, made from the schema once. Answers, filters, sorts and
// GET /api/v1/fields read the same list.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/question.h"
#include "model/schema.h"

namespace obs::query {

// How a value is written outside.
enum class FieldKind : std::uint8_t {
    text,
    list,        // of texts
    map,         // `attributes`; its keys are fields of their own: `attributes.http.route`
    parameters,  // `model_parameters`: settings of the request gathered in one object
    json,        // text that is JSON
    integer,
    number,
    flag,       // true or false
    status,     // UNSET OK ERROR
    span_kind,  // unspecified internal server client producer consumer
    repairs,    // names of RowFlag bits; a number in filters
    time,       // RFC 3339
    milliseconds,
    whole_milliseconds,  // the same, rounded when shown
    dollars,
    trace_id,
    span_id,
};

// Only who may read content may see it, or ask for rows by it: prompt and answer columns, and attributes,
// which keep whatever a client sent.
inline bool shows_content(const ColumnInfo& column) {
    return column.has(content) || column.type == ColumnType::map;
}

struct Field {
    std::string name;
    std::vector<std::string_view> aliases{};  // accepted wherever the name is
    FieldKind kind = FieldKind::text;
    const ColumnInfo* column = nullptr;  // null: computed
    Derived derived = Derived::none;
    std::string_view meaning{};
    bool filterable = false, sortable = false, groupable = false;

    bool is_content() const { return column != nullptr && shows_content(*column); }
    std::string_view type()
        const;  // in the words of JSON: text, number, integer, boolean, time, list, object
    std::string_view unit() const;  // empty if none
};

// Every field of the table that may be shown, in the order of the schema.
std::span<const Field> fields_of(TableId table);

// A field as a client named it; `key` is set for one key of a map.
struct NamedField {
    const Field* field = nullptr;
    std::string key{};
    FieldRef ref() const { return {field->column, key, field->derived}; }
};
// By name or alias; names are lower case.
// Nothing for unknown names. `attributes.<key>`, `metadata.<key>` and `model_parameters.<name>` are known.
std::optional<NamedField> find_field(TableId table, std::string_view name);

// The settings gathered in `model_parameters`, by column name.
std::span<const std::string_view> parameter_columns();

// The 14 operators of the API; `nin` and `notin` are `not_in`. Nothing for other words.
std::optional<Operator> operator_from(std::string_view word);
std::string_view name_of(Operator op);
// Whether the field can be asked with the operator (with a value that is not null).
bool takes(const Field& field, Operator op);
std::vector<std::string_view> operators_of(const Field& field);

// The words of status_code and span_kind: `OK` for 1, `client` for 3. Empty for numbers without a word.
std::string_view status_word(std::uint8_t code);
std::string_view span_kind_word(std::uint8_t kind);
// In any case; SUCCESS is OK.
std::optional<std::uint8_t> status_from(std::string_view word);
std::optional<std::uint8_t> span_kind_from(std::string_view word);
// Names of RowFlag bits.
std::vector<std::string_view> repair_words(std::uint32_t flags);

// 1 to 32 hex digits, shorter ones padded with zeros on the left; dashes as in a UUID are dropped.
std::optional<TraceId> trace_id_from(std::string_view text);
// Up to 16 hex digits, padded likewise.
std::optional<SpanId> span_id_from(std::string_view text);

}  // namespace obs::query
