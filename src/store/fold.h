// Letter case, as `contains`, `starts_with` and `ends_with` ignore it.
#pragma once

#include <string>
#include <string_view>

namespace obs {

// Replaces `out` with the text in lower case, character by character (Unicode simple mapping): Ü is ü, but ẞ
// is not ss and ς is not σ. SQL stores do the same (lowerUTF8). Bytes that are not UTF-8 stay.
void fold_case(std::string_view text, std::string& out);

}  // namespace obs
