#include "store/fold.h"

#include <cstdint>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace obs {

void fold_case(std::string_view text, std::string& out) {
    out.resize(text.size());
    std::size_t at = 0;
    for (; at < text.size() && static_cast<signed char>(text[at]) >= 0; ++at) {
        const char c = text[at];
        out[at] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    out.resize(at);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    while (at < text.size()) {
        const std::size_t begin = at;
        UChar32 character;
        U8_NEXT(bytes, at, text.size(), character);
        if (character < 0) {
            out.append(text, begin, at - begin);
            continue;
        }
        std::uint8_t encoded[U8_MAX_LENGTH];
        std::size_t length = 0;
        const auto lower = static_cast<std::uint32_t>(u_tolower(character));
        U8_APPEND_UNSAFE(encoded, length, lower);
        out.append(reinterpret_cast<const char*>(encoded), length);
    }
}

}  // namespace obs
