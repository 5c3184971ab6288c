// Token counts in one meaning: input includes what was read from and written to a cache, output includes
// reasoning, details are parts.
#pragma once

#include <cstdint>
#include <optional>

#include "base/money.h"

namespace obs {

struct TokenCounts {
    std::optional<Tokens> prompt{}, completion{}, total{};
    std::optional<Tokens> cached{}, cache_write{}, reasoning{};
    std::optional<Tokens> audio_input{}, audio_output{}, image_input{}, image_output{};

    bool any() const { return prompt || completion || total; }
    bool operator==(const TokenCounts&) const = default;
};

// How a source counts what was read from or written to a cache.
enum class CacheCount {
    unknown,  // the numbers tell, else it is taken as inside the input
    inside,   // as OpenTelemetry says
    beside,   // raw Anthropic and Bedrock numbers, unless the total says otherwise
};
enum class ReasoningCount {
    unknown,  // inside, unless there is more of it than output
    beside,   // Gemini's candidates
};

// What was reported, in the meaning above. A reported total is kept only when neither input nor output is
// known; else the total is their sum.
TokenCounts canonical_counts(TokenCounts reported, CacheCount cache = CacheCount::unknown,
                             ReasoningCount reasoning = ReasoningCount::unknown);

}  // namespace obs
