// Standard base64 with padding (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace obs::query {

std::string to_base64(std::string_view bytes);
// The URL alphabet and missing padding are accepted too: clients put cursors into addresses.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace obs::query
