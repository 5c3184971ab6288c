// OpenLLMetry (Traceloop) of all ages; its flattened messages are in flattened.cpp.
#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

constexpr Mapping mappings[] = {
    {"traceloop.span.kind", Field::traceloop_kind},
    {"llm.request.type", Field::llm_request_type},
    {"llm.response.model", Field::model, 11},
    {"llm.request.model", Field::model, 12},
    {"llm.request.model", Field::request_model, 3},
    {"llm.usage.prompt_tokens", Field::prompt_tokens, 8},
    {"llm.usage.completion_tokens", Field::completion_tokens, 8},
    {"llm.usage.total_tokens", Field::total_tokens, 1},
    {"llm.usage.reasoning_tokens", Field::reasoning_tokens, 2},
    {"gen_ai.is_streaming", Field::streaming, 2},
    {"llm.is_streaming", Field::streaming, 3},
    {"llm.response.finish_reason", Field::stop_reason, 7},
    {"llm.response.stop_reason", Field::stop_reason, 7},
    {"llm.request.max_tokens", Field::max_tokens, 5},
    {"llm.request.temperature", Field::temperature, 5},
    {"llm.temperature", Field::temperature, 6},
    {"llm.request.top_p", Field::top_p, 5},
    {"llm.top_p", Field::top_p, 6},
    {"llm.top_k", Field::top_k, 6},
    {"llm.user", Field::user_id, 8},
    {"gen_ai.user", Field::user_id, 9},
    {"traceloop.association.properties.user_id", Field::user_id, 4},
    {"traceloop.association.properties.session_id", Field::session_id, 4},
    {"traceloop.association.properties.chat_id", Field::session_id, 5},
    {"traceloop.entity.name", Field::tool_name, 5},   // only on tools
    {"traceloop.entity.name", Field::agent_name, 5},  // only on agents
    {"traceloop.entity.version", Field::release, 9},
    {"traceloop.entity.input", Field::traceloop_input},
    {"traceloop.entity.output", Field::traceloop_output},
    {"traceloop.prompt.key", Field::prompt_name, 2},
    {"traceloop.prompt.version", Field::prompt_version, 2},
};

constexpr KindWord kinds[] = {
    {Field::traceloop_kind, "workflow", chain},
    {Field::traceloop_kind, "task", chain},
    {Field::traceloop_kind, "agent", agent},
    {Field::traceloop_kind, "tool", tool},
    {Field::llm_request_type, "chat", llm},
    {Field::llm_request_type, "completion", llm},
    {Field::llm_request_type, "acompletion", llm},
    {Field::llm_request_type, "responses", llm},
    {Field::llm_request_type, "aresponses", llm},
    {Field::llm_request_type, "embedding", embedding},
    {Field::llm_request_type, "aembedding", embedding},
    {Field::llm_request_type, "rerank", reranker},
};

}  // namespace

constexpr Convention openllmetry{"openllmetry", mappings, kinds};

}  // namespace obs::convention
