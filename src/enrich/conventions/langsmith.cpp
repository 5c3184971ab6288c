#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

// Its gen_ai.prompt and gen_ai.completion are whole inputs and outputs; its session name is the project, so
// neither is taken for the conversation.
constexpr Mapping mappings[] = {
    {"langsmith.span.kind", Field::langsmith_kind},
    {"langsmith.span.tags", Field::tags, 2},
    {"langsmith.metadata.ls_provider", Field::provider, 3},
    {"langsmith.metadata.ls_model_name", Field::model, 13},
    {"langsmith.metadata.ls_temperature", Field::temperature, 7},
    {"langsmith.metadata.ls_max_tokens", Field::max_tokens, 7},
    {"langsmith.metadata.user_id", Field::user_id, 5},
    {"langsmith.metadata.session_id", Field::session_id, 6},
    {"langsmith.metadata.thread_id", Field::session_id, 7},
    {"langsmith.metadata.conversation_id", Field::session_id, 8},
    {"langsmith.request.streaming", Field::streaming, 4},
    {"langsmith.usage_metadata", Field::usage_json},
    {"langsmith.metadata.usage_metadata", Field::usage_json},
};

constexpr KindWord kinds[] = {
    {Field::langsmith_kind, "llm", llm},
    {Field::langsmith_kind, "embedding", embedding},
    {Field::langsmith_kind, "retriever", retriever},
    {Field::langsmith_kind, "tool", tool},
    {Field::langsmith_kind, "chain", chain},
    {Field::langsmith_kind, "prompt", chain},
    {Field::langsmith_kind, "parser", chain},
};

}  // namespace

constexpr Convention langsmith{"langsmith", mappings, kinds};

}  // namespace obs::convention
