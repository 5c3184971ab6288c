#include "enrich/conventions/conventions.h"

namespace obs {

std::span<const Convention* const> conventions() {
    static constexpr const Convention* all[] = {
        &convention::langfuse,   &convention::openinference, &convention::langsmith,   &convention::mlflow,
        &convention::otel_genai, &convention::openllmetry,   &convention::vercel_ai,   &convention::haystack,
        &convention::genkit,     &convention::google_adk,    &convention::pydantic_ai, &convention::gateways,
    };
    return all;
}

std::string_view name_of(SpanMeaning meaning) {
    static constexpr std::string_view names[] = {"other", "llm",   "embedding", "retriever", "reranker",
                                                 "tool",  "agent", "chain",     "guardrail", "evaluator"};
    return names[static_cast<std::size_t>(meaning)];
}

}  // namespace obs
