// OpenLIT and LiteLLM: gen_ai.* with words of their own.
#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

constexpr Mapping mappings[] = {
    {"gen_ai.usage.cost", Field::cost_total, 3},
    {"gen_ai.usage.prompt_tokens_details.cached_tokens", Field::cached_input_tokens, 7},
    {"gen_ai.request.user", Field::user_id, 7},
    {"gen_ai.user.id", Field::user_id, 6},
    {"gen_ai.session.id", Field::session_id, 10},
    {"gen_ai.environment", Field::environment, 3},
    {"gen_ai.tool.args", Field::tool_arguments},
    {"gen_ai.framework.error.type", Field::error_code, 1},
    {"gen_ai.framework.error.message", Field::error_message, 1},
    {"gen_ai.cost.input_cost", Field::cost_input, 2},
    {"gen_ai.cost.output_cost", Field::cost_output, 2},
    {"gen_ai.cost.total_cost", Field::cost_total, 2},
    {"hidden_params", Field::litellm_hidden},
};

}  // namespace

constexpr Convention gateways{"gateways", mappings};

}  // namespace obs::convention
