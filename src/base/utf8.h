// Text that came from outside may hold any bytes; what we keep is UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace obs {

bool is_utf8(std::string_view text);
// The text with every byte sequence that is not UTF-8 replaced by U+FFFD.
std::string to_utf8(std::string_view text);
// The longest prefix of at most `limit` bytes that does not cut a character.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

}  // namespace obs
