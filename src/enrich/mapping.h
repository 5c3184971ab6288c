// The words of the mapping: which attribute of which convention says what. Each convention states its part as
// a table (conventions/); values.h reads the values.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace obs {

enum class SpanMeaning : std::uint8_t {
    other,
    llm,
    embedding,
    retriever,
    reranker,
    tool,
    agent,
    chain,
    guardrail,
    evaluator
};
std::string_view name_of(SpanMeaning meaning);
// A call of a model of its own: the only spans that may own usage.
constexpr bool is_model_call(SpanMeaning meaning) {
    return meaning == SpanMeaning::llm || meaning == SpanMeaning::embedding ||
           meaning == SpanMeaning::reranker;
}

// What an attribute can be good for. Several attributes compete for one field of the first kinds; the lowest
// rank wins. The fields from `first_slot` on take one kind of attribute each and are read where they are
// needed.
enum class Field : std::uint8_t {
    none,
    // texts
    model,
    request_model,
    response_id,
    user_id,
    session_id,
    tool_name,
    agent_name,
    prompt_name,
    prompt_version,
    environment,
    release,
    error_code,
    error_message,
    service_tier,
    // token counts
    prompt_tokens,
    completion_tokens,
    total_tokens,
    cached_input_tokens,
    cache_write_tokens,
    reasoning_tokens,
    audio_input_tokens,
    audio_output_tokens,
    image_input_tokens,
    image_output_tokens,
    rollup_prompt_tokens,
    rollup_completion_tokens,
    // dollars
    cost_input,
    cost_output,
    cost_total,
    // numbers
    temperature,
    top_p,
    top_k,
    max_tokens,
    seed,
    // seconds and milliseconds of the time to the first token: one winner between both
    ttft_seconds,
    ttft_milliseconds,
    ttft_of_server,  // seconds, or milliseconds from some
    ttft_at,         // the point in time, as text
    streaming,
    provider,
    stop_reason,
    tags,

    first_slot,
    // words that say the kind, in the order in which they decide
    langfuse_type = first_slot,
    langfuse_other,  // any other langfuse.observation.*
    openinference_kind,
    langsmith_kind,
    mlflow_type,
    genai_operation,
    traceloop_kind,
    llm_request_type,
    vercel_operation,
    operation_name,  // Vercel's when it begins with `ai.`
    haystack_type,
    haystack_other,
    genkit_subtype,
    mcp_method,
    genai_tool,  // gen_ai.tool.call.id
    genai_span_kind,
    db_system,
    db_vector,

    // content
    genai_input,
    genai_output,
    genai_system,
    genai_prompt,
    genai_completion,
    tool_arguments,
    tool_result,
    retrieval_query,
    retrieval_documents,
    reranker_query,
    embedded_value,
    embedded_values,
    vercel_messages,
    vercel_prompt,
    vercel_text,
    vercel_object,
    vercel_tool_calls,
    vercel_reasoning,
    vercel_metadata,
    langfuse_input,
    langfuse_output,
    langfuse_trace_input,
    langfuse_trace_output,
    mlflow_inputs,
    mlflow_outputs,
    traceloop_input,
    traceloop_output,
    gcp_request,
    gcp_response,
    gcp_tool_arguments,
    gcp_tool_response,
    pydantic_messages,
    final_result,
    haystack_input,
    haystack_output,
    genkit_input,
    genkit_output,
    livekit_context,
    livekit_input,
    livekit_output,
    input_value,
    output_value,
    plain_input,
    plain_output,
    plain_prompt,
    message_events,  // Logfire's `events`
    tool_definitions,
    vercel_tools,

    // JSON objects with several facts
    parameters,
    usage_json,
    langfuse_usage,
    langfuse_costs,
    mlflow_cost,
    litellm_hidden,
    linked_prompts,
    metadata,
    level,
    level_message,
    logfire_span_type,
    genkit_name,
    server_address,
    evaluation_name,
    evaluation_value,
    evaluation_label,
    evaluation_comment,
    end
};
inline constexpr std::size_t field_count = static_cast<std::size_t>(Field::end);
inline constexpr std::size_t scalar_count = static_cast<std::size_t>(Field::first_slot);

// One line of a convention's table.
struct Mapping {
    std::string_view key;
    Field field;
    std::uint8_t rank = 0;
};

// What a convention calls a kind of span. `field` is where the word stands.
struct KindWord {
    Field field;
    std::string_view word;  // lower case
    SpanMeaning meaning;
};

struct Convention {
    std::string_view name;
    std::span<const Mapping> mappings;
    std::span<const KindWord> kinds{};
};

// All of them, in the order in which they decide the kind of a span.
std::span<const Convention* const> conventions();

}  // namespace obs
