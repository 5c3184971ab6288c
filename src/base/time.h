// A point in time and a distance are different types; both count nanoseconds.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace obs {

struct Nanos {
    std::int64_t count = 0;
    auto operator<=>(const Nanos&) const = default;
    static constexpr Nanos milliseconds(std::int64_t n) { return {n * 1'000'000}; }
    static constexpr Nanos seconds(std::int64_t n) { return {n * 1'000'000'000}; }
    static constexpr Nanos hours(std::int64_t n) { return seconds(n * 3600); }
    static constexpr Nanos days(std::int64_t n) { return seconds(n * 86'400); }
};

// Nanoseconds since 1970-01-01T00:00:00Z: years 1677 to 2262.
struct UnixNanos {
    std::int64_t since_epoch = 0;
    auto operator<=>(const UnixNanos&) const = default;
};

// Signed: a span whose clock went backwards lasts -5 ns, not 584 years.
constexpr Nanos operator-(UnixNanos end, UnixNanos start) {
    return {end.since_epoch - start.since_epoch};
}
constexpr UnixNanos operator+(UnixNanos at, Nanos d) {
    return {at.since_epoch + d.count};
}
constexpr UnixNanos operator-(UnixNanos at, Nanos d) {
    return {at.since_epoch - d.count};
}
constexpr Nanos operator+(Nanos a, Nanos b) {
    return {a.count + b.count};
}
constexpr Nanos operator-(Nanos a, Nanos b) {
    return {a.count - b.count};
}

// Time comes in as an argument, so that no test waits for it.
using Clock = std::function<UnixNanos()>;
UnixNanos system_now();

// Days since the epoch, UTC, rounded down: the partition a row belongs to.
constexpr std::int32_t day_of(UnixNanos at) {
    constexpr std::int64_t day = 86'400'000'000'000;
    return static_cast<std::int32_t>(at.since_epoch >= 0 ? at.since_epoch / day
                                                         : -((-at.since_epoch + day - 1) / day));
}

// RFC 3339 UTC with as many of 0, 3, 6 or 9 fraction digits as are needed: `2025-10-01T08:45:26.5Z` prints as
// `2025-10-01T08:45:26.500Z`.
std::string rfc3339(UnixNanos at);
// RFC 3339 with any offset and 0 to 9 fraction digits, or a date alone (midnight UTC). Nothing when it is
// neither or out of range.
std::optional<UnixNanos> parse_rfc3339(std::string_view text);

}  // namespace obs
