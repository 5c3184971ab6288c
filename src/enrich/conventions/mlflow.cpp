// Every value of MLflow is JSON text, so that words come in quotes.
#include "enrich/conventions/conventions.h"

namespace obs::convention {

namespace {

using enum SpanMeaning;

constexpr Mapping mappings[] = {
    {"mlflow.spanType", Field::mlflow_type},         {"mlflow.spanInputs", Field::mlflow_inputs},
    {"mlflow.spanOutputs", Field::mlflow_outputs},   {"mlflow.chat.tokenUsage", Field::usage_json},
    {"mlflow.llm.cost", Field::mlflow_cost},         {"mlflow.llm.model", Field::model, 5},
    {"mlflow.llm.provider", Field::provider, 4},     {"mlflow.chat.tools", Field::tool_definitions},
    {"mlflow.linkedPrompts", Field::linked_prompts}, {"mlflow.trace.user", Field::user_id, 10},
    {"mlflow.trace.session", Field::session_id, 11},
};

constexpr KindWord kinds[] = {
    {Field::mlflow_type, "llm", llm},
    {Field::mlflow_type, "chat_model", llm},
    {Field::mlflow_type, "embedding", embedding},
    {Field::mlflow_type, "retriever", retriever},
    {Field::mlflow_type, "reranker", reranker},
    {Field::mlflow_type, "tool", tool},
    {Field::mlflow_type, "agent", agent},
    {Field::mlflow_type, "chain", chain},
    {Field::mlflow_type, "workflow", chain},
    {Field::mlflow_type, "task", chain},
    {Field::mlflow_type, "parser", chain},
    {Field::mlflow_type, "guardrail", guardrail},
    {Field::mlflow_type, "evaluator", evaluator},
};

}  // namespace

constexpr Convention mlflow{"mlflow", mappings, kinds};

}  // namespace obs::convention
