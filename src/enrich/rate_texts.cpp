#include "enrich/rate_texts.h"

#include <algorithm>

#include "text/sentiment.h"

namespace obs {

namespace {

// With fewer words a coincidence looks like an answer.
constexpr std::size_t least_terms = 3;

// Arguments of tools and documents have no mood.
bool is_conversation(std::string_view kind) {
    return kind == "llm" || kind == "agent";
}

}  // namespace

std::optional<double> coherence_of(const SharedTerms& shared) {
    const std::size_t shorter = std::min(shared.first, shared.second);
    if (shorter < least_terms) return std::nullopt;
    const double kept_to = static_cast<double>(shared.common) / static_cast<double>(shorter);
    if (shared.neighbours == 0) return kept_to;
    const double held_together = static_cast<double>(shared.linked) / static_cast<double>(shared.neighbours);
    return (kept_to + held_together) / 2;
}

void rate_texts(SpanBatch& spans, std::size_t row, const SharedTerms& shared) {
    // Content that joins a span comes without a kind; its span is read when it has joined.
    if (!is_conversation(spans.kind[row])) return;
    spans.input_sentiment.set(row, mood_of(spans.input_text[row]));
    spans.output_sentiment.set(row, mood_of(spans.output_text[row]));
    spans.coherence.set(row, coherence_of(shared));
}

}  // namespace obs
