// Reading one field of a row: a column, one key of a map, or a derived value. What a value is, and when it is
// missing, is decided here for every store that evaluates questions itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "model/batches.h"
#include "model/question.h"

namespace obs {

// A value in the unit of its column; ids are raw bytes. Nothing when the field is missing: empty text, zero
// ids, optional numbers without a value, map keys that are not there. Texts point into the batch.
using Value = std::variant<std::monostate, std::int64_t, double, std::string_view>;
inline bool is_missing(const Value& value) {
    return value.index() == 0;
}
Cell cell_of(const Value& value);

// A column of a batch, whatever its type.
using ColumnView =
    std::variant<const Text*, const Dict*, const TextList*, const Map*, const column::U8*, const column::U16*,
                 const column::U32*, const column::U64*, const column::Time*, const column::Duration*,
                 const column::TraceIds*, const column::SpanIds*, const column::OptU8*, const column::OptI64*,
                 const column::OptF64*, const column::OptTokens*, const column::OptUsd*,
                 const column::OptDuration*>;
// `column` must be one of the batch's table.
ColumnView column_of(const AnyBatch& batch, const ColumnInfo& column);
// The column of that name, or null when the batch's table has none.
template <class Column>
const Column* find_column_of(const AnyBatch& batch, std::string_view name) {
    const ColumnInfo* info = find_column(table_of(batch), name);
    return info == nullptr ? nullptr : std::get<const Column*>(column_of(batch, *info));
}

// What kind of values a field has; it says which operators and values fit.
enum class FieldKind : std::uint8_t { text, text_list, map, map_key, number, id };
FieldKind kind_of(const FieldRef& field);

// How a field is called in tables and messages: `model`, `attributes.user.tier`, `tokens_per_second`.
std::string field_name(const FieldRef& field);

// Reads one field from the rows of one batch, which must outlive the reader.
class FieldReader {
public:
    FieldReader(const AnyBatch& batch, const FieldRef& field);

    // Not for lists and whole maps.
    Value operator()(std::size_t row) const;
    // Every value of the row: the elements of a list, else the one value; nothing when it is missing.
    template <class F>
    void each(std::size_t row, F&& f) const {
        if (const auto* list = std::get_if<const TextList*>(&column_)) {
            for (std::size_t at = (*list)->begin(row); at < (*list)->end(row); ++at)
                f(Value((*list)->items_[at]));
        } else if (const Value value = (*this)(row); !is_missing(value)) {
            f(value);
        }
    }
    const ColumnView& column() const { return column_; }

private:
    ColumnView column_;  // of a derived value: its first ingredient
    std::string_view key_;
    Derived derived_;
    const column::Duration* duration_ = nullptr;  // for derived values
};

}  // namespace obs
