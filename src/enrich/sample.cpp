#include "enrich/sample.h"

#include <charconv>
#include <cstdint>

namespace obs {

namespace {

// The value of `name` in a list of `name<equals>value` pairs.
std::string_view value_in(std::string_view list, std::string_view name, char equals, char separator) {
    while (!list.empty()) {
        const std::string_view pair = list.substr(0, list.find(separator));
        list.remove_prefix(std::min(pair.size() + 1, list.size()));
        const std::size_t first = pair.find_first_not_of(" \t");
        if (first == std::string_view::npos) continue;
        const std::string_view bare = pair.substr(first);
        if (bare.starts_with(name) && bare.size() > name.size() && bare[name.size()] == equals)
            return bare.substr(name.size() + 1);
    }
    return {};
}

}  // namespace

std::optional<double> kept_share(std::string_view trace_state) {
    const std::string_view threshold = value_in(value_in(trace_state, "ot", '=', ','), "th", ':', ';');
    if (threshold.empty() || threshold.size() > 14) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(threshold.data(), threshold.data() + threshold.size(), value, 16);
    if (error != std::errc{} || end != threshold.data() + threshold.size()) return std::nullopt;
    // Trailing zeros are left out: 8 is 0x80000000000000 of 2^56, half.
    value <<= 4 * (14 - threshold.size());
    return 1.0 - static_cast<double>(value) / static_cast<double>(std::uint64_t{1} << 56);
}

void sample(SpanBatch& batch) {
    for (std::size_t row = 0; row < batch.trace_state.stored(); ++row)
        if (const std::string_view state = batch.trace_state[row]; !state.empty())
            if (const std::optional<double> share = kept_share(state)) batch.sample_rate.put(row, *share);
}

}  // namespace obs
