// Frameworks with few words of their own: Haystack, Genkit, Google ADK, LiveKit, Pydantic AI.
#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

// The kind of a Haystack component follows from the end of its type: recognise.cpp.
constexpr Mapping haystack_mappings[] = {
    {"haystack.component.type", Field::haystack_type},
    {"haystack.component.name", Field::haystack_other},
    {"haystack.component.input", Field::haystack_input},
    {"haystack.component.output", Field::haystack_output},
    {"haystack.pipeline.input_data", Field::haystack_input},
    {"haystack.pipeline.output_data", Field::haystack_output},
    {"haystack.agent.input", Field::haystack_input},
    {"haystack.agent.output", Field::haystack_output},
    {"haystack.tool.input", Field::haystack_input},
    {"haystack.tool.output", Field::haystack_output},
    {"haystack.tool.name", Field::tool_name, 4},
};

constexpr Mapping genkit_mappings[] = {
    {"genkit:metadata:subtype", Field::genkit_subtype},
    {"genkit:name", Field::genkit_name},
    {"genkit:input", Field::genkit_input},
    {"genkit:output", Field::genkit_output},
    {"genkit:sessionId", Field::session_id, 12},
};

constexpr KindWord genkit_kinds[] = {
    {Field::genkit_subtype, "model", llm},         {Field::genkit_subtype, "embedder", embedding},
    {Field::genkit_subtype, "tool", tool},         {Field::genkit_subtype, "retriever", retriever},
    {Field::genkit_subtype, "reranker", reranker}, {Field::genkit_subtype, "evaluator", evaluator},
    {Field::genkit_subtype, "flow", chain},        {Field::genkit_subtype, "prompt", chain},
};

constexpr Mapping adk_mappings[] = {
    {"gcp.vertex.agent.llm_request", Field::gcp_request},
    {"gcp.vertex.agent.llm_response", Field::gcp_response},
    {"gcp.vertex.agent.tool_call_args", Field::gcp_tool_arguments},
    {"gcp.vertex.agent.tool_response", Field::gcp_tool_response},
    {"gcp.vertex.agent.session_id", Field::session_id, 9},
    {"lk.chat_ctx", Field::livekit_context},
    {"lk.input_text", Field::livekit_input},
    {"lk.user_transcript", Field::livekit_input},
    {"lk.response.text", Field::livekit_output},
    {"lk.function_tool.output", Field::livekit_output},
};

constexpr Mapping pydantic_mappings[] = {
    {"gen_ai.aggregated_usage.input_tokens", Field::rollup_prompt_tokens, 0},
    {"gen_ai.aggregated_usage.output_tokens", Field::rollup_completion_tokens, 0},
    {"gen_ai.usage.details.cache_read_tokens", Field::cached_input_tokens, 6},
    {"gen_ai.usage.details.cache_write_tokens", Field::cache_write_tokens, 6},
    {"gen_ai.usage.details.reasoning_tokens", Field::reasoning_tokens, 6},
    {"gen_ai.usage.details.input_audio_tokens", Field::audio_input_tokens, 2},
    {"gen_ai.usage.details.output_audio_tokens", Field::audio_output_tokens, 2},
    {"operation.cost", Field::cost_total, 4},
    {"pydantic_ai.all_messages", Field::pydantic_messages},
    {"all_messages_events", Field::pydantic_messages},
    {"final_result", Field::final_result},
    {"tool_arguments", Field::tool_arguments},
    {"tool_response", Field::tool_result},
    {"agent_name", Field::agent_name, 4},
    {"logfire.span_type", Field::logfire_span_type},
};

}  // namespace

constexpr Convention haystack{"haystack", haystack_mappings};
constexpr Convention genkit{"genkit", genkit_mappings, genkit_kinds};
constexpr Convention google_adk{"google-adk", adk_mappings};
constexpr Convention pydantic_ai{"pydantic-ai", pydantic_mappings};

}  // namespace obs::convention
