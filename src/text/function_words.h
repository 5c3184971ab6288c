// The small words that hold sentences together: they tell a language, and say nothing of what a text is
// about.
#pragma once

#include <span>
#include <string_view>

namespace obs {

// In lower case. Those that are common in another large language too (`in`, `was`, `on`) are not among them.
std::span<const std::string_view> english_words();
// Of German, French, Spanish, Portuguese, Italian, Dutch, the Scandinavian languages, Polish, Czech, Turkish
// and Indonesian; none of them is an English word.
std::span<const std::string_view> foreign_words();
// English ones that are left out when texts are compared, `in` and `was` among them.
bool is_function_word(std::string_view lower_case);

}  // namespace obs
