#include "base/hash.h"

#include <nmmintrin.h>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace obs {

std::uint64_t hash64(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

Fingerprint fingerprint(std::string_view project, std::string_view body) {
    const XXH128_hash_t hash = XXH3_128bits_withSeed(body.data(), body.size(), hash64(project));
    return {hash.high64, hash.low64};
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
    std::uint64_t crc = ~seed;
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    auto narrow = static_cast<std::uint32_t>(crc);
    for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, std::to_integer<unsigned char>(*at));
    return ~narrow;
}

}  // namespace obs
