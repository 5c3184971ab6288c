// Trace and span ids: raw bytes inside, hex only at the edges (W3C Trace Context).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace obs {

// N raw bytes; all zero means absent. `Tag` keeps trace and span ids apart.
template <std::size_t N, class Tag>
struct RawId {
    std::array<std::byte, N> bytes{};
    auto operator<=>(const RawId&) const = default;

    bool is_zero() const { return *this == RawId{}; }
    std::string hex() const;
    // Lower or upper case hex of exactly 2 * N digits; nothing otherwise.
    static std::optional<RawId> from_hex(std::string_view text);
    // Exactly N bytes; nothing otherwise.
    static std::optional<RawId> from_bytes(std::string_view raw) {
        if (raw.size() != N) return std::nullopt;
        RawId id;
        std::memcpy(id.bytes.data(), raw.data(), N);
        return id;
    }
    std::string_view raw() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }
};

using TraceId = RawId<16, struct TraceIdTag>;
using SpanId = RawId<8, struct SpanIdTag>;

// Lower-case hex of any bytes.
std::string to_hex(std::span<const std::byte> bytes);
// Decodes pairs of hex digits into `out`; false if the text is not exactly 2 * out.size() hex digits.
bool from_hex(std::string_view text, std::span<std::byte> out);

template <std::size_t N, class Tag>
std::string RawId<N, Tag>::hex() const {
    return to_hex(bytes);
}
template <std::size_t N, class Tag>
std::optional<RawId<N, Tag>> RawId<N, Tag>::from_hex(std::string_view text) {
    RawId id;
    if (!::obs::from_hex(text, id.bytes)) return std::nullopt;
    return id;
}

}  // namespace obs

// Ids are random already: their last eight bytes are the hash (W3C asks for randomness on the right).
template <std::size_t N, class Tag>
struct std::hash<obs::RawId<N, Tag>> {
    std::size_t operator()(const obs::RawId<N, Tag>& id) const noexcept {
        std::uint64_t word;
        std::memcpy(&word, id.bytes.data() + (N - 8), 8);
        return word;
    }
};
