#include "base/time.h"

#include <chrono>

#include <fmt/format.h>

namespace obs {

UnixNanos system_now() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::chrono::system_clock::now().time_since_epoch())
                .count()};
}

std::string rfc3339(UnixNanos at) {
    using namespace std::chrono;
    const std::int32_t day = day_of(at);
    const year_month_day date{sys_days{days{day}}};
    const std::int64_t rest = at.since_epoch - std::int64_t{day} * 86'400'000'000'000;
    const std::int64_t seconds = rest / 1'000'000'000;
    const std::int64_t fraction = rest % 1'000'000'000;
    std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                   seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (fraction % 1'000'000 == 0) {
        if (fraction != 0) text += fmt::format(".{:03}", fraction / 1'000'000);
    } else if (fraction % 1'000 == 0) {
        text += fmt::format(".{:06}", fraction / 1'000);
    } else {
        text += fmt::format(".{:09}", fraction);
    }
    return text + "Z";
}

namespace {

// Reads exactly `count` digits and moves `text` past them; -1 if they are not there.
int digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return -1;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

// The fraction after the point, in nanoseconds; digits past the ninth are cut.
std::optional<std::int64_t> fraction_nanos(std::string_view& text) {
    std::int64_t value = 0;
    int seen = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        if (seen < 9) value = value * 10 + (text.front() - '0');
        ++seen;
        text.remove_prefix(1);
    }
    if (seen == 0) return std::nullopt;
    for (; seen < 9; ++seen) value *= 10;
    return value;
}

// `Z` or `+hh:mm`, in seconds east of UTC.
std::optional<std::int64_t> offset_seconds(std::string_view& text) {
    if (take(text, 'Z') || take(text, 'z')) return 0;
    const bool east = take(text, '+');
    if (!east && !take(text, '-')) return std::nullopt;
    const int hours = digits(text, 2);
    if (hours < 0 || hours > 23 || !take(text, ':')) return std::nullopt;
    const int minutes = digits(text, 2);
    if (minutes < 0 || minutes > 59) return std::nullopt;
    return (east ? 1 : -1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<UnixNanos> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    const int y = digits(text, 4);
    if (y < 1678 || y > 2261 || !take(text, '-')) return std::nullopt;
    const int m = digits(text, 2);
    if (m < 1 || !take(text, '-')) return std::nullopt;
    const int d = digits(text, 2);
    const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
    if (d < 1 || !date.ok()) return std::nullopt;
    const std::int64_t midnight = sys_days{date}.time_since_epoch().count() * std::int64_t{86'400};
    if (text.empty()) return UnixNanos{midnight * 1'000'000'000};
    if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
    const int hour = digits(text, 2);
    if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
    const int minute = digits(text, 2);
    if (minute < 0 || minute > 59 || !take(text, ':')) return std::nullopt;
    const int second = digits(text, 2);
    if (second < 0 || second > 60) return std::nullopt;
    std::int64_t nanos = 0;
    if (take(text, '.')) {
        const auto fraction = fraction_nanos(text);
        if (!fraction) return std::nullopt;
        nanos = *fraction;
    }
    const auto offset = offset_seconds(text);
    if (!offset || !text.empty()) return std::nullopt;
    return UnixNanos{(midnight + hour * 3600 + minute * 60 + second - *offset) * 1'000'000'000 + nanos};
}

}  // namespace obs
