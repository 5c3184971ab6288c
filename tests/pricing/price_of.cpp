// Prices the calls that it reads, one a line, so that a test in another language can compare: tab-separated
// provider, model, time (RFC 3339), service, then counts as `input=120`. Answers `<rule> <input> <output>
// <total>` in nano-dollars, or `unknown`.
#include <charconv>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "pricing/price_table.h"

namespace {

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields{""};
    for (const char c : line) {
        if (c == '\t') {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    return fields;
}

std::optional<obs::Tokens>* counter(obs::Usage& usage, std::string_view name) {
    if (name == "input") return &usage.input;
    if (name == "output") return &usage.output;
    if (name == "cached_input") return &usage.cached_input;
    if (name == "cache_write") return &usage.cache_write;
    if (name == "audio_input") return &usage.audio_input;
    if (name == "audio_output") return &usage.audio_output;
    if (name == "cached_audio") return &usage.cached_audio;
    if (name == "image_input") return &usage.image_input;
    if (name == "image_output") return &usage.image_output;
    if (name == "cached_image") return &usage.cached_image;
    if (name == "reasoning") return &usage.reasoning;
    return nullptr;
}

bool set_count(obs::Usage& usage, std::string_view field) {
    const std::size_t equals = field.find('=');
    std::optional<obs::Tokens>* count = counter(usage, field.substr(0, equals));
    if (count == nullptr || equals == std::string_view::npos) return false;
    std::int64_t value = 0;
    std::from_chars(field.data() + equals + 1, field.data() + field.size(), value);
    *count = obs::Tokens{value};
    return true;
}

std::string answer(const obs::PriceTable& prices, const std::vector<std::string>& fields) {
    const std::optional<obs::UnixNanos> at =
        fields.size() >= 4 ? obs::parse_rfc3339(fields[2]) : std::nullopt;
    if (!at) return "bad line";
    obs::Usage usage;
    for (std::size_t i = 4; i < fields.size(); ++i)
        if (!set_count(usage, fields[i])) return "bad count " + fields[i];
    const obs::Price* price = prices.find(fields[0], fields[1], *at, fields[3]);
    const std::optional<obs::Cost> cost = price ? obs::cost_of(usage, *price) : std::nullopt;
    if (!cost) return "unknown";
    return fmt::format("{} {} {} {}", price->rule, cost->input.nanos, cost->output.nanos, cost->total.nanos);
}

}  // namespace

int main() {
    const obs::Result<obs::PriceTable> prices = obs::PriceTable::load();
    if (!prices) {
        std::cerr << prices.error().message << '\n';
        return 1;
    }
    for (std::string line; std::getline(std::cin, line);)
        std::cout << answer(*prices, fields_of(line)) << '\n';
}
