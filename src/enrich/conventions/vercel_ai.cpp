// The classic spans of the AI SDK (scope `ai`); its newer exporter speaks pure gen_ai.*.
#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

constexpr Mapping mappings[] = {
    {"ai.operationId", Field::vercel_operation},
    {"operation.name", Field::operation_name},
    {"ai.model.provider", Field::provider, 5},
    {"ai.response.model", Field::model, 3},
    {"ai.model.id", Field::model, 8},
    {"ai.model.id", Field::request_model, 2},
    {"ai.response.id", Field::response_id, 1},
    {"ai.prompt", Field::vercel_prompt},
    {"ai.prompt.messages", Field::vercel_messages},
    {"ai.prompt.tools", Field::vercel_tools},
    {"ai.response.text", Field::vercel_text},
    {"ai.result.text", Field::vercel_text},
    {"ai.response.object", Field::vercel_object},
    {"ai.result.object", Field::vercel_object},
    {"ai.response.toolCalls", Field::vercel_tool_calls},
    {"ai.result.toolCalls", Field::vercel_tool_calls},
    {"ai.response.reasoning", Field::vercel_reasoning},
    {"ai.response.providerMetadata", Field::vercel_metadata},
    {"ai.response.finishReason", Field::stop_reason, 4},
    {"ai.finishReason", Field::stop_reason, 4},
    {"ai.usage.inputTokens", Field::prompt_tokens, 5},
    {"ai.usage.promptTokens", Field::prompt_tokens, 6},
    {"ai.usage.tokens", Field::prompt_tokens, 7},
    {"ai.usage.outputTokens", Field::completion_tokens, 5},
    {"ai.usage.completionTokens", Field::completion_tokens, 6},
    {"ai.usage.totalTokens", Field::total_tokens, 3},
    {"ai.usage.inputTokenDetails.cacheReadTokens", Field::cached_input_tokens, 4},
    {"ai.usage.cachedInputTokens", Field::cached_input_tokens, 5},
    {"ai.usage.inputTokenDetails.cacheWriteTokens", Field::cache_write_tokens, 5},
    {"ai.usage.outputTokenDetails.reasoningTokens", Field::reasoning_tokens, 4},
    {"ai.usage.reasoningTokens", Field::reasoning_tokens, 5},
    {"ai.response.msToFirstChunk", Field::ttft_milliseconds, 2},
    {"ai.stream.msToFirstChunk", Field::ttft_milliseconds, 3},
    {"ai.toolCall.name", Field::tool_name, 2},
    {"ai.toolCall.args", Field::tool_arguments},
    {"ai.toolCall.result", Field::tool_result},
    {"ai.value", Field::embedded_value},
    {"ai.values", Field::embedded_values},
    {"ai.telemetry.functionId", Field::agent_name, 3},
    {"ai.telemetry.metadata.userId", Field::user_id, 3},
    {"ai.telemetry.metadata.sessionId", Field::session_id, 3},
    {"ai.telemetry.metadata.tags", Field::tags, 3},
    {"ai.settings.temperature", Field::temperature, 4},
    {"ai.settings.topP", Field::top_p, 4},
    {"ai.settings.topK", Field::top_k, 4},
    {"ai.settings.maxOutputTokens", Field::max_tokens, 4},
    {"ai.settings.maxTokens", Field::max_tokens, 4},
    {"ai.settings.seed", Field::seed, 4},
};

constexpr KindWord kinds[] = {
    {Field::vercel_operation, "ai.generatetext.dogenerate", llm},
    {Field::vercel_operation, "ai.streamtext.dostream", llm},
    {Field::vercel_operation, "ai.generateobject.dogenerate", llm},
    {Field::vercel_operation, "ai.streamobject.dostream", llm},
    {Field::vercel_operation, "ai.embed.doembed", embedding},
    {Field::vercel_operation, "ai.embedmany.doembed", embedding},
    {Field::vercel_operation, "ai.rerank.dorerank", reranker},
    {Field::vercel_operation, "ai.toolcall", tool},
    {Field::vercel_operation, "ai.generatetext", chain},
    {Field::vercel_operation, "ai.streamtext", chain},
    {Field::vercel_operation, "ai.generateobject", chain},
    {Field::vercel_operation, "ai.streamobject", chain},
    {Field::vercel_operation, "ai.embed", chain},
    {Field::vercel_operation, "ai.embedmany", chain},
    {Field::vercel_operation, "ai.rerank", chain},
};

}  // namespace

constexpr Convention vercel_ai{"vercel-ai", mappings, kinds};

}  // namespace obs::convention
