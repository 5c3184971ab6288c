#include "enrich/stop_reasons.h"

#include <algorithm>

#include "enrich/values.h"

namespace obs {

namespace {

struct Spelling {
    std::string_view word, canonical;
};

// Sorted by word, in lower case with `_` for `-`.
constexpr Spelling spellings[] = {
    {"complete", "stop"},
    {"completed", "stop"},
    {"content_filter", "content_filter"},
    {"content_filtered", "content_filter"},
    {"end_turn", "stop"},
    {"eos", "stop"},
    {"error", "error"},
    {"failed", "error"},
    {"finish_reason_stop", "stop"},
    {"function_call", "tool_calls"},
    {"guardrail_intervened", "content_filter"},
    {"incomplete", "length"},
    {"length", "length"},
    {"max_output_tokens", "length"},
    {"max_tokens", "length"},
    {"prohibited_content", "content_filter"},
    {"recitation", "content_filter"},
    {"refusal", "content_filter"},
    {"safety", "content_filter"},
    {"stop", "stop"},
    {"stop_sequence", "stop"},
    {"tool_call", "tool_calls"},
    {"tool_calls", "tool_calls"},
    {"tool_use", "tool_calls"},
};
static_assert(std::ranges::is_sorted(spellings, {}, &Spelling::word));

}  // namespace

std::string_view canonical_stop_reason(std::string_view word) {
    if (says_nothing(word)) return {};
    if (word.size() > 32) return "other";
    char buffer[32];
    std::ranges::transform(word, buffer, [](char c) {
        if (c == '-') return '_';
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    const std::string_view key(buffer, word.size());
    const auto found = std::ranges::lower_bound(spellings, key, {}, &Spelling::word);
    return found != std::end(spellings) && found->word == key ? found->canonical : "other";
}

}  // namespace obs
