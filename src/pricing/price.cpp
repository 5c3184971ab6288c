#include "pricing/price.h"

#include <algorithm>

namespace obs {
namespace {

// Bills parts of a whole one after the other; what remains is billed last.
class Bill {
public:
    Bill(UsdSum& sum, Tokens whole) : sum_(sum), left_(whole) {}

    // Takes as much of `part` as is left. A part without a rate stays in the whole.
    void take(std::optional<Tokens> part, std::optional<UsdPerToken> rate) {
        if (!part || !rate) return;
        const Tokens taken = std::clamp(*part, Tokens{0}, left_);
        left_ = left_ - taken;
        sum_.add(taken, *rate);
    }
    void rest(std::optional<UsdPerToken> rate) {
        if (rate) sum_.add(left_, *rate);
    }

private:
    UsdSum& sum_;
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
void bill_input(const Usage& usage, Tokens input, const Rates& rates, UsdSum& sum) {
    Bill bill(sum, input);
    const bool cached_audio = rates.cached_audio.has_value(), cached_image = rates.cached_image.has_value();
    bill.take(usage.cached_audio, rates.cached_audio);
    bill.take(usage.cached_image, rates.cached_image);
    std::optional<Tokens> cached_text = usage.cached_input;
    if (cached_audio) cached_text = less(cached_text, usage.cached_audio);
    if (cached_image) cached_text = less(cached_text, usage.cached_image);
    bill.take(cached_text, rates.cached_input);
    bill.take(usage.cache_write, rates.cache_write);
    const bool cached = rates.cached_input.has_value();
    bill.take(cached || cached_audio ? less(usage.audio_input, usage.cached_audio) : usage.audio_input,
              rates.audio_input);
    bill.take(cached || cached_image ? less(usage.image_input, usage.cached_image) : usage.image_input,
              rates.image_input);
    bill.rest(rates.input);
}

void bill_output(const Usage& usage, Tokens output, const Rates& rates, UsdSum& sum) {
    Bill bill(sum, output);
    bill.take(usage.audio_output, rates.audio_output);
    bill.take(usage.image_output, rates.image_output);
    bill.take(usage.reasoning, rates.reasoning);
    bill.rest(rates.output);
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

}  // namespace

const Rates& Price::rates_for(Tokens input) const {
    const Rates* rates = &base;
    for (const Tier& tier : tiers)
        if (input > tier.above) rates = &tier.rates;
    return *rates;
}

std::optional<Cost> cost_of(const Usage& usage, const Price& price) {
    const std::optional<Tokens> input = input_of(usage), output = output_of(usage);
    if (!input && !output) return std::nullopt;
    const Rates& rates = price.rates_for(or_none(input));
    UsdSum sum;
    if (price.request) sum.add(Tokens{1}, *price.request);
    bill_input(usage, or_none(input), rates, sum);
    const Usd for_input = sum.rounded();
    bill_output(usage, or_none(output), rates, sum);
    const Usd total = sum.rounded();
    return Cost{for_input, {total.nanos - for_input.nanos}, total};
}

}  // namespace obs
