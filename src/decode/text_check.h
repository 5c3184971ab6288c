// Is a text valid UTF-8? Most texts of a request are short and ASCII: those are answered here without a call.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include <emmintrin.h>

#include "base/utf8.h"

namespace obs {

inline bool is_text(std::string_view text) {
    const char* at = text.data();
    std::size_t left = text.size();
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    const auto word = [](const char* from) {
        std::uint64_t value;
        std::memcpy(&value, from, sizeof value);
        return value;
    };
    const auto block = [](const char* from) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    };
    // Longer ones have their own vector code, chosen for the machine.
    if (left > 128) return is_utf8(text);
    if (left >= 16) {
        __m128i seen = block(at + left - 16);
        for (; left > 16; left -= 16, at += 16) seen = _mm_or_si128(seen, block(at));
        return _mm_movemask_epi8(seen) == 0 || is_utf8(text);
    }
    if (left >= 8) return ((word(at) | word(at + left - 8)) & high_bits) == 0 || is_utf8(text);
    unsigned char seen = 0;
    for (; left > 0; --left, ++at) seen |= static_cast<unsigned char>(*at);
    return seen < 0x80 || is_utf8(text);
}

}  // namespace obs
