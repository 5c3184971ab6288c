// One comparison, from the words and units of the API to those of a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "model/question.h"
#include "query/fields.h"

namespace obs::query {

// A value as JSON writes it.
using Value = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string>;

constexpr std::size_t regex_characters_limit = 500;
constexpr std::size_t text_bytes_limit = 64 * 1024;
constexpr std::size_t search_bytes_limit = 4 * 1024;
constexpr std::size_t list_values_limit = 10'000;

// `values` holds one value, or those of the list for in and not_in. `now` is what `now-1h` counts from.
// Fails with `invalid_input` when the field does not take the operator, or the value is of a wrong type.
Result<Filter> where(TableId table, const NamedField& field, Operator op, std::span<const Value> values,
                     UnixNanos now);

// Rows whose search_text holds all words of the text, as decision 19 says; no row if it has no words.
Result<Filter> where_found(TableId table, std::string_view text);

// The first content column that a filter looks at; null if there is none (decision 32).
const ColumnInfo* content_read_by(const Filter& filter);

// The first attribute that a filter compares in a way that no index helps with, as `attributes.<key>`; empty
// if there is none (decision 18).
std::string slow_attribute_of(const Filter& filter);

// What all rows of the filter share: bounds on `ts` among its conditions make the window smaller, so that a
// store need not look at every day.
Window narrowed(Window window, const Filter& filter);

// True if only rows of named traces can match: such a question is quick without a window.
bool names_traces(const Filter& filter);

}  // namespace obs::query
