#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

// Messages, tools and embeddings are flattened lists: flattened.cpp.
constexpr Mapping mappings[] = {
    {"openinference.span.kind", Field::openinference_kind},
    {"llm.provider", Field::provider, 2},
    {"llm.system", Field::provider, 6},
    {"llm.response.model_name", Field::model, 2},
    {"llm.model_name", Field::model, 4},
    {"llm.request.model_name", Field::model, 7},
    {"llm.request.model_name", Field::request_model, 1},
    {"embedding.model_name", Field::model, 9},
    {"reranker.model_name", Field::model, 10},
    {"llm.invocation_parameters", Field::parameters},
    {"embedding.invocation_parameters", Field::parameters},
    {"llm.finish_reason", Field::stop_reason, 3},
    {"llm.token_count.prompt", Field::prompt_tokens, 2},
    {"llm.token_count.completion", Field::completion_tokens, 2},
    {"llm.token_count.total", Field::total_tokens, 2},
    {"llm.token_count.prompt_details.cache_read", Field::cached_input_tokens, 2},
    {"llm.token_count.prompt_details.cache_input", Field::cached_input_tokens, 3},
    {"llm.token_count.prompt_details.cache_write", Field::cache_write_tokens, 4},
    {"llm.token_count.prompt_details.audio", Field::audio_input_tokens, 1},
    {"llm.token_count.completion_details.reasoning", Field::reasoning_tokens, 3},
    {"llm.token_count.completion_details.audio", Field::audio_output_tokens, 1},
    {"llm.cost.prompt", Field::cost_input, 1},
    {"llm.cost.completion", Field::cost_output, 1},
    {"llm.cost.total", Field::cost_total, 1},
    {"input.value", Field::input_value},
    {"output.value", Field::output_value},
    {"tool.name", Field::tool_name, 1},
    {"reranker.query", Field::reranker_query},
    {"agent.name", Field::agent_name, 1},
    {"metadata", Field::metadata},
    {"tag.tags", Field::tags, 1},
    {"prompt.id", Field::prompt_name, 4},
    {"llm.prompt_template.version", Field::prompt_version, 4},
};

constexpr KindWord kinds[] = {
    {Field::openinference_kind, "llm", llm},
    {Field::openinference_kind, "embedding", embedding},
    {Field::openinference_kind, "retriever", retriever},
    {Field::openinference_kind, "reranker", reranker},
    {Field::openinference_kind, "tool", tool},
    {Field::openinference_kind, "agent", agent},
    {Field::openinference_kind, "chain", chain},
    {Field::openinference_kind, "prompt", chain},
    {Field::openinference_kind, "guardrail", guardrail},
    {Field::openinference_kind, "evaluator", evaluator},
};

}  // namespace

constexpr Convention openinference{"openinference", mappings, kinds};

}  // namespace obs::convention
