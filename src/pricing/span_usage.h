// The usage that a span of a batch claims, as a price bills it.
#pragma once

#include <cstddef>

#include "pricing/price.h"

namespace obs {

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

}  // namespace obs
