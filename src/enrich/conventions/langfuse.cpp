#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

constexpr Mapping mappings[] = {
    {"langfuse.observation.type", Field::langfuse_type},
    {"langfuse.observation.level", Field::level},
    {"langfuse.observation.status_message", Field::level_message},
    {"langfuse.observation.input", Field::langfuse_input},
    {"langfuse.observation.output", Field::langfuse_output},
    {"langfuse.observation.model.name", Field::model, 0},
    {"langfuse.observation.model.parameters", Field::parameters},
    {"langfuse.observation.usage_details", Field::langfuse_usage},
    {"langfuse.observation.cost_details", Field::langfuse_costs},
    {"langfuse.observation.completion_start_time", Field::ttft_at, 4},
    {"langfuse.observation.prompt.name", Field::prompt_name, 0},
    {"langfuse.observation.prompt.version", Field::prompt_version, 0},
    {"langfuse.observation.metadata", Field::langfuse_other},
    {"langfuse.trace.input", Field::langfuse_trace_input},
    {"langfuse.trace.output", Field::langfuse_trace_output},
    {"langfuse.trace.tags", Field::tags, 0},
    {"langfuse.user.id", Field::user_id, 0},
    {"langfuse.session.id", Field::session_id, 0},
    {"langfuse.environment", Field::environment, 0},
    {"langfuse.release", Field::release, 0},
    {"langfuse.version", Field::release, 1},
};

constexpr KindWord kinds[] = {
    {Field::langfuse_type, "generation", llm},      {Field::langfuse_type, "embedding", embedding},
    {Field::langfuse_type, "retriever", retriever}, {Field::langfuse_type, "tool", tool},
    {Field::langfuse_type, "agent", agent},         {Field::langfuse_type, "chain", chain},
    {Field::langfuse_type, "span", chain},          {Field::langfuse_type, "guardrail", guardrail},
    {Field::langfuse_type, "evaluator", evaluator}, {Field::langfuse_type, "event", other},
};

}  // namespace

constexpr Convention langfuse{"langfuse", mappings, kinds};

}  // namespace obs::convention
