// Hashes: XXH3 for tables and fingerprints, CRC32C for what lies on a disk. Neither is for secrets.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace obs {

std::uint64_t hash64(std::string_view bytes);

// 128 bits of XXH3 over a project and a request body: the same twice means the same request twice.
struct Fingerprint {
    std::uint64_t high = 0, low = 0;
    auto operator<=>(const Fingerprint&) const = default;
};
Fingerprint fingerprint(std::string_view project, std::string_view body);

// Castagnoli; pass the previous result as `seed` to continue.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);

}  // namespace obs
