#include "serve/byte_range.h"

#include <algorithm>
#include <charconv>

namespace obs::serve {

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

AskedRange part(std::uint64_t begin, std::uint64_t size) {
    return {AskedRange::Kind::part, {begin, size}};
}

}  // namespace

AskedRange asked_range(std::string_view header, std::uint64_t size) {
    constexpr std::string_view unit = "bytes=";
    if (!header.starts_with(unit)) return {};
    header.remove_prefix(unit.size());
    const std::size_t dash = header.find('-');
    if (dash == std::string_view::npos) return {};
    const std::string_view from = header.substr(0, dash), to = header.substr(dash + 1);
    const auto first = number(from), last = number(to);
    if (from.empty()) {
        if (!last) return {};
        if (*last == 0 || size == 0) return {AskedRange::Kind::outside, {}};
        return part(size - std::min(*last, size), std::min(*last, size));
    }
    if (!first || (!to.empty() && (!last || *last < *first))) return {};
    if (*first >= size) return {AskedRange::Kind::outside, {}};
    return part(*first, std::min(last.value_or(size - 1), size - 1) - *first + 1);
}

}  // namespace obs::serve
