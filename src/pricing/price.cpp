#include "pricing/price.h"

#include <algorithm>
#include <utility>

namespace obs {
namespace {

// What lines are added up in, or written down on: a sheet has add(part, tokens, rate).
struct Sum {
    UsdSum sum{};

    void add(std::string_view, Tokens tokens, UsdPerToken rate) { sum.add(tokens, rate); }
    Usd rounded() const { return sum.rounded(); }
};
struct Lines {
    UsdSum sum{};
    std::vector<BillLine> lines{};

    void add(std::string_view part, Tokens tokens, UsdPerToken rate) {
        sum.add(tokens, rate);
        if (tokens.count > 0) lines.push_back({part, tokens, rate});
    }
    Usd rounded() const { return sum.rounded(); }
};

// Bills parts of a whole one after the other; what remains is billed last.
template <class Sheet>
class Parts {
public:
    Parts(Sheet& sheet, Tokens whole) : sheet_(sheet), left_(whole) {}

    // Takes as much of `part` as is left. A part without a rate stays in the whole.
    void take(std::string_view name, std::optional<Tokens> part, std::optional<UsdPerToken> rate) {
        if (!part || !rate) return;
        const Tokens taken = std::clamp(*part, Tokens{0}, left_);
        left_ = left_ - taken;
        sheet_.add(name, taken, *rate);
    }
    void rest(std::string_view name, std::optional<UsdPerToken> rate) {
        sheet_.add(name, left_, rate.value_or(UsdPerToken{0}));
    }

private:
    Sheet& sheet_;
    Tokens left_;
};

Tokens or_none(std::optional<Tokens> count) {
    return count.value_or(Tokens{0});
}

std::optional<Tokens> less(std::optional<Tokens> part, std::optional<Tokens> inner) {
    if (!part) return std::nullopt;
    return std::max(Tokens{0}, *part - or_none(inner));
}

// Cached audio is both audio and cached: it must leave one of the two before each is billed.
template <class Sheet>
void bill_input(const Usage& usage, Tokens input, const Rates& rates, Sheet& sheet) {
    Parts parts(sheet, input);
    const bool cached_audio = rates.cached_audio.has_value(), cached_image = rates.cached_image.has_value();
    parts.take("cached_audio", usage.cached_audio, rates.cached_audio);
    parts.take("cached_image", usage.cached_image, rates.cached_image);
    std::optional<Tokens> cached_text = usage.cached_input;
    if (cached_audio) cached_text = less(cached_text, usage.cached_audio);
    if (cached_image) cached_text = less(cached_text, usage.cached_image);
    parts.take("cached_input", cached_text, rates.cached_input);
    parts.take("cache_write", usage.cache_write, rates.cache_write);
    const bool cached = rates.cached_input.has_value();
    parts.take("audio_input",
               cached || cached_audio ? less(usage.audio_input, usage.cached_audio) : usage.audio_input,
               rates.audio_input);
    parts.take("image_input",
               cached || cached_image ? less(usage.image_input, usage.cached_image) : usage.image_input,
               rates.image_input);
    parts.rest("input", rates.input);
}

template <class Sheet>
void bill_output(const Usage& usage, Tokens output, const Rates& rates, Sheet& sheet) {
    Parts parts(sheet, output);
    parts.take("audio_output", usage.audio_output, rates.audio_output);
    parts.take("image_output", usage.image_output, rates.image_output);
    parts.take("reasoning", usage.reasoning, rates.reasoning);
    parts.rest("output", rates.output);
}

std::optional<Tokens> input_of(const Usage& usage) {
    if (usage.input) return std::max(Tokens{0}, *usage.input);
    if (!usage.cached_input && !usage.cache_write && !usage.audio_input && !usage.image_input)
        return std::nullopt;
    return or_none(usage.cached_input) + or_none(usage.cache_write) +
           or_none(less(usage.audio_input, usage.cached_audio)) +
           or_none(less(usage.image_input, usage.cached_image));
}

std::optional<Tokens> output_of(const Usage& usage) {
    if (usage.output) return std::max(Tokens{0}, *usage.output);
    if (!usage.reasoning && !usage.audio_output && !usage.image_output) return std::nullopt;
    return or_none(usage.reasoning) + or_none(usage.audio_output) + or_none(usage.image_output);
}

template <class Sheet>
std::optional<Cost> charge(const Usage& usage, const Price& price, Sheet& sheet) {
    const std::optional<Tokens> input = input_of(usage), output = output_of(usage);
    if (!input && !output) return std::nullopt;
    const Rates& rates = price.rates_for(or_none(input));
    if (price.request) sheet.add("request", Tokens{1}, *price.request);
    bill_input(usage, or_none(input), rates, sheet);
    const Usd for_input = sheet.rounded();
    bill_output(usage, or_none(output), rates, sheet);
    const Usd total = sheet.rounded();
    return Cost{for_input, {total.nanos - for_input.nanos}, total};
}

}  // namespace

const Rates& Price::rates_for(Tokens input) const {
    const Rates* rates = &base;
    for (const Tier& tier : tiers)
        if (input > tier.above) rates = &tier.rates;
    return *rates;
}

std::optional<Cost> cost_of(const Usage& usage, const Price& price) {
    Sum sheet;
    return charge(usage, price, sheet);
}

std::optional<Bill> bill_of(const Usage& usage, const Price& price) {
    Lines sheet;
    const std::optional<Cost> cost = charge(usage, price, sheet);
    if (!cost) return std::nullopt;
    Bill bill{std::move(sheet.lines), *cost, PicoUsd::of(cost->total)};
    for (const BillLine& line : bill.lines) bill.rounding = bill.rounding - line.amount();
    return bill;
}

std::string PicoUsd::dollars() const {
    constexpr int places = 12;
    Wide left = count < 0 ? -count : count;
    std::string digits;  // the last one first
    for (int at = 0; at < places || left > 0; ++at) {
        if (at == places) digits += '.';
        digits += static_cast<char>('0' + static_cast<int>(left % 10));
        left /= 10;
    }
    if (digits.size() == places) digits += ".0";
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
    if (digits.starts_with('.')) digits.erase(0, 1);
    if (count < 0) digits += '-';
    std::ranges::reverse(digits);
    return digits.empty() ? "0" : digits;
}

}  // namespace obs
