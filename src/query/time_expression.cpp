#include "query/time_expression.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace obs::query {

namespace {

constexpr double seconds_end_here = 1e11;
// 2261-12-31, the last day that parse_rfc3339() reads too.
constexpr double last_second = 9'214'646'400;

std::optional<Nanos> unit_of(char letter) {
    switch (letter) {
        case 's': return Nanos::seconds(1);
        case 'm': return Nanos::seconds(60);
        case 'h': return Nanos::hours(1);
        case 'd': return Nanos::days(1);
        case 'w': return Nanos::days(7);
        default: return std::nullopt;
    }
}

// What stands behind `now-`: `90m`.
std::optional<Nanos> distance(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    const auto unit = unit_of(text.back());
    text.remove_suffix(1);
    std::int64_t count = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (!unit || fault != std::errc{} || end != text.data() + text.size() || count < 0) return std::nullopt;
    std::int64_t product = 0;
    if (__builtin_mul_overflow(count, unit->count, &product)) return std::nullopt;
    return Nanos{product};
}

std::optional<UnixNanos> relative(std::string_view text, UnixNanos now) {
    if (text == "now") return now;
    if (!text.starts_with("now-")) return std::nullopt;
    const auto back = distance(text.substr(4));
    std::int64_t at = 0;
    if (!back || __builtin_sub_overflow(now.since_epoch, back->count, &at)) return std::nullopt;
    return UnixNanos{at};
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, fault] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

Result<UnixNanos> time_of_number(double number) {
    const double seconds = std::abs(number) < seconds_end_here ? number : number / 1000;
    if (!std::isfinite(seconds) || std::abs(seconds) > last_second)
        return fail(ErrorKind::invalid_input,
                    "{} is no time: seconds or milliseconds since 1970 are expected", number);
    // In two parts, because a double does not hold today's nanoseconds exactly.
    const double whole = std::floor(seconds);
    const auto fraction = std::llround((seconds - whole) * 1e6);
    return UnixNanos{static_cast<std::int64_t>(whole) * 1'000'000'000 + fraction * 1000};
}

Result<UnixNanos> parse_time(std::string_view text, UnixNanos now) {
    if (const auto at = relative(text, now)) return *at;
    // Before numbers, so that `2025-10-01` is no sum.
    if (const auto at = parse_rfc3339(text)) return *at;
    if (const auto value = number(text)) return time_of_number(*value);
    return fail(
        ErrorKind::invalid_input,
        "not a time; write now, now-90m (s, m, h, d, w), 2025-10-01, 2025-10-01T08:45:26Z, or seconds or "
        "milliseconds since 1970");
}

}  // namespace obs::query
