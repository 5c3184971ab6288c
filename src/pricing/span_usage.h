// The usage that a span of a batch claims, as a price bills it.
#pragma once

#include <cstddef>
#include <string_view>

#include "pricing/price.h"
#include "pricing/price_table.h"

namespace obs {

// The columns that usage_of() reads.
inline constexpr std::string_view usage_columns[] = {
    "prompt_tokens",       "completion_tokens",  "cached_input_tokens",
    "cache_write_tokens",  "reasoning_tokens",   "audio_input_tokens",
    "audio_output_tokens", "image_input_tokens", "image_output_tokens"};

// `Spans` has the columns of a batch of spans.
template <class Spans>
Usage usage_of(const Spans& spans, std::size_t row) {
    return {.input = spans.prompt_tokens[row],
            .output = spans.completion_tokens[row],
            .cached_input = spans.cached_input_tokens[row],
            .cache_write = spans.cache_write_tokens[row],
            .audio_input = spans.audio_input_tokens[row],
            .image_input = spans.image_input_tokens[row],
            .cached_audio = {},
            .cached_image = {},
            .reasoning = spans.reasoning_tokens[row],
            .audio_output = spans.audio_output_tokens[row],
            .image_output = spans.image_output_tokens[row]};
}

// The price of a model call: of the model that answered, else of the one that was asked for. Nothing when
// neither has one, or no tokens are known.
template <class Spans>
const Price* price_of_call(const Spans& spans, std::size_t row, std::string_view service,
                           const PriceTable& prices) {
    if (!spans.prompt_tokens[row] && !spans.completion_tokens[row]) return nullptr;
    const std::string_view provider = spans.provider[row], model = spans.model[row],
                           asked = spans.request_model[row];
    const Price* price = model.empty() ? nullptr : prices.find(provider, model, spans.ts[row], service);
    if (price == nullptr && !asked.empty() && asked != model)
        price = prices.find(provider, asked, spans.ts[row], service);
    return price;
}

}  // namespace obs
