#include "decode/refusals.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "decode/value_json.h"

namespace obs {

std::string Refusals::message(std::string_view items) const {
    constexpr std::array<std::string_view, 8> words = {
        "with a bad trace id", "with a bad span id", "too old",     "too far in the future", "without a time",
        "without a value",     "with wrong buckets", "without data"};
    if (total_ == 0) return {};
    std::string text = first_;
    if (total_ == 1) return text;
    text += fmt::format("; {} {} refused:", total_, items);
    std::string_view separator = " ";
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (by_reason_[i] == 0) continue;
        text += fmt::format("{}{} {}", separator, by_reason_[i], words[i]);
        separator = ", ";
    }
    return text;
}

namespace {

template <class Id>
IdReading<Id> read_id(Encoding encoding, std::string_view sent) {
    constexpr std::size_t size = sizeof(Id);
    if (sent.empty()) return {{}, false};
    // Hex is the rule in JSON; some bridges send it in protobuf too.
    if (sent.size() == 2 * size) {
        const auto id = Id::from_hex(sent);
        return {id.value_or(Id{}), !id};
    }
    if (encoding == Encoding::protobuf) {
        const auto id = Id::from_bytes(sent);
        return {id.value_or(Id{}), !id};
    }
    // Some exporters use a stock JSON writer, which makes base64 of ids.
    constexpr std::size_t padded = (size + 2) / 3 * 4;
    constexpr std::size_t bare = (size * 8 + 5) / 6;
    std::string raw;
    if ((sent.size() != padded && sent.size() != bare) || !read_base64(sent, raw)) return {{}, true};
    const auto id = Id::from_bytes(raw);
    return {id.value_or(Id{}), !id};
}

}  // namespace

IdReading<TraceId> read_trace_id(Encoding encoding, std::string_view sent) {
    return read_id<TraceId>(encoding, sent);
}
IdReading<SpanId> read_span_id(Encoding encoding, std::string_view sent) {
    return read_id<SpanId>(encoding, sent);
}

std::string what_is_wrong(std::string_view id_name, Encoding encoding, std::string_view sent) {
    if (sent.empty()) return fmt::format("no {}", id_name);
    const bool zeros = std::ranges::all_of(sent, [](char c) { return c == '\0' || c == '0'; });
    if (zeros) return fmt::format("a {} of zeros", id_name);
    return fmt::format("a {} of {} {}{}", id_name, sent.size(),
                       encoding == Encoding::json ? "characters" : "bytes",
                       encoding == Encoding::json ? " that is no hex id" : "");
}

TimeReading read_time(std::uint64_t sent) {
    // The bounds lie around 1973 and 5138 in each unit, so nothing that a clock of today says is ambiguous.
    constexpr std::uint64_t least_seconds = 100'000'000;
    constexpr std::uint64_t least_millis = least_seconds * 1'000;
    constexpr std::uint64_t least_micros = least_millis * 1'000;
    constexpr std::uint64_t least_nanos = least_micros * 1'000;
    const auto scaled = [&](std::uint64_t unit) {
        constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        const std::uint64_t value = sent > most / unit ? most : sent * unit;
        return UnixNanos{static_cast<std::int64_t>(value)};
    };
    if (sent >= least_nanos || sent < least_seconds) [[likely]]
        return {scaled(1), false};
    if (sent < least_millis) return {scaled(1'000'000'000), true};
    if (sent < least_micros) return {scaled(1'000'000), true};
    return {scaled(1'000), true};
}

std::string TimeWindow::describe(std::string_view time_name, UnixNanos at) const {
    const bool old = too_old(at);
    const std::int64_t hours = (old ? oldest : newest).count / Nanos::hours(1).count;
    const std::string span =
        hours % 24 == 0 && hours > 24 ? fmt::format("{} days", hours / 24) : fmt::format("{} hours", hours);
    return fmt::format("{} {} is more than {} {}", time_name, rfc3339(at), span, old ? "ago" : "ahead");
}

}  // namespace obs
