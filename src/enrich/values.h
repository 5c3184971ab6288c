// Reading attribute values as what they were meant to be: clients send numbers and booleans as text, integers
// as doubles, lists as text (semconv pitfalls 3, 5, 6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "model/raw_batches.h"

namespace obs {

inline constexpr std::int64_t most_tokens = std::int64_t{1} << 40;

// Words that mean "absent": empty, null, None, N/A, <not specified>.
bool says_nothing(std::string_view text);
// Without the quotes of a JSON string that needs no unescaping; MLflow and others quote everything.
std::string_view unquoted(std::string_view text);
std::string_view trimmed(std::string_view text);
std::string lower_ascii_copy(std::string_view text);

// Whole numbers, also as double or text; nothing for fractions and everything else.
std::optional<std::int64_t> integer_of(const RawValue& value);
std::optional<std::int64_t> integer_of(std::string_view text);
// NaN and infinities are no numbers.
std::optional<double> number_of(const RawValue& value);
std::optional<double> number_of(std::string_view text);
// true, True, 1 and their opposites.
std::optional<bool> boolean_of(const RawValue& value);

// The value as text: texts as they are, others as canonical JSON written to `scratch`.
std::string_view text_of(const RawValue& value, std::string& scratch);

// The first item of a list, of JSON text of a list or of comma-separated words; the text itself if it is no
// list. Does not unescape.
std::string_view first_of_list(std::string_view text);
// True if the list has more than one item.
bool has_several(std::string_view text);

}  // namespace obs
