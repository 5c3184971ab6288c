// SHA-256, for what must not be found out from what we keep.
#pragma once

#include <string>
#include <string_view>

namespace obs {

// 64 digits of lower-case hex.
std::string sha256_hex(std::string_view text);

}  // namespace obs
