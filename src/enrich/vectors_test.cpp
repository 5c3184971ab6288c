// One or two spans of each convention, and the columns they become.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "enrich/otlp_json.h"
#include "enrich/test_rows.h"

namespace obs {
namespace {

using namespace testing_rows;

struct Vector {
    std::string_view what, spans, expected;
};

// The names of the table for what the client claimed, and ours.
std::string with_our_names(std::string_view expected) {
    std::string text(expected);
    for (const auto& [theirs, ours] :
         {std::pair<std::string_view, std::string_view>{"\"cost_total\"", "\"client_cost_usd\""}})
        for (std::size_t at = 0; (at = text.find(theirs, at)) != std::string::npos; at += ours.size())
            text.replace(at, theirs.size(), ours);
    return text;
}

class SpanVector : public testing::TestWithParam<Vector> {};

TEST_P(SpanVector, becomesTheseColumns) {
    Understood understood;
    understand(Signal::traces, Encoding::json, otlp_traces(GetParam().spans), understood);
    const std::vector<Shown> rows = shown(understood.spans);
    simdjson::dom::parser parser;
    const simdjson::padded_string text(with_our_names(GetParam().expected));
    std::size_t row = 0;
    const JsonArray expectations = parser.parse(text).get_array().value();
    for (const JsonElement expected : expectations) {
        ASSERT_LT(row, rows.size());
        for (const std::string& difference : differences(expected.get_object().value(), rows[row]))
            ADD_FAILURE() << difference;
        ++row;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Conventions, SpanVector,
    testing::Values(Vector{"otel_genai_current", R"json([{"S":"opentelemetry.instrumentation.openai","R":{"service.version":"1.4.2","deployment.environment.name":"prod"},"name":"chat gpt-4o","kind":3,"start":0,"end":2100,"attrs":{"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-4o","gen_ai.response.model":"gpt-4o-2024-08-06","gen_ai.request.temperature":0.2,"gen_ai.request.max_tokens":256,"gen_ai.request.seed":7,"gen_ai.request.stream":true,"gen_ai.response.time_to_first_chunk":0.42,"gen_ai.response.finish_reasons":["stop"],"gen_ai.usage.input_tokens":300,"gen_ai.usage.cache_read.input_tokens":128,"gen_ai.usage.output_tokens":80,"gen_ai.usage.reasoning.output_tokens":30,"gen_ai.conversation.id":"conv-9","gen_ai.system_instructions":"[{\"type\":\"text\",\"content\":\"Be brief\"}]","gen_ai.input.messages":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Hi\"}]}]","gen_ai.output.messages":"[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"Hello\"}]}]"}}])json", R"json([{"kind":"llm","provider":"openai","model":"gpt-4o-2024-08-06","request_model":"gpt-4o","system_prompt":"Be brief","input_text":"Hi","output_text":"Hello","prompt_tokens":300,"completion_tokens":80,"total_tokens":380,"cached_input_tokens":128,"reasoning_tokens":30,"ttft_ms":420,"temperature":0.2,"max_tokens":256,"seed":7,"stop_reason":"stop","session_id":"conv-9","environment":"prod","release":"1.4.2","streaming":true}])json"}, Vector{"otel_genai_1_36_with_span_events", R"json([{"name":"chat claude","attrs":{"gen_ai.operation.name":"chat","gen_ai.system":"az.ai.inference","gen_ai.request.model":"claude-x","gen_ai.usage.prompt_tokens":"12","gen_ai.usage.completion_tokens":5,"gen_ai.openai.request.seed":3},"events":[{"name":"gen_ai.system.message","attrs":{"content":"Sys"}},{"name":"gen_ai.user.message","attrs":{"content":"Q"}},{"name":"gen_ai.choice","attrs":{"index":0,"finish_reason":"tool_calls","message":"{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"}}]}])json", R"json([{"kind":"llm","provider":"azure.ai.inference","model":"claude-x","request_model":"claude-x","system_prompt":"Sys","input_text":"Q","output_text":"","prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"seed":3,"stop_reason":"tool_calls","tool_calls":[{"id":"c1","name":"f","arguments":"{}"}],"streaming":false}])json"},
                    Vector{"openinference_with_sparse_index_and_first_token_event", R"json([{"S":"openinference.instrumentation.openai","name":"ChatCompletion","start":1000,"end":3000,"attrs":{"openinference.span.kind":"LLM","llm.provider":"azure","llm.system":"openai","llm.model_name":"gpt-4o-mini","llm.invocation_parameters":"{\"temperature\":1,\"max_completion_tokens\":50,\"stream\":true}","llm.input_messages.1.message.role":"user","llm.input_messages.1.message.contents.0.message_content.type":"text","llm.input_messages.1.message.contents.0.message_content.text":"Weather?","llm.output_messages.0.message.role":"assistant","llm.output_messages.0.message.tool_calls.0.tool_call.id":"t1","llm.output_messages.0.message.tool_calls.0.tool_call.function.name":"get_weather","llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments":"{\"c\":\"P\"}","llm.token_count.prompt":90,"llm.token_count.completion":10,"llm.token_count.total":100,"llm.token_count.prompt_details.cache_read":64,"llm.cost.total":0.0012,"session.id":"s1","user.id":"u1","tag.tags":["a","b"],"metadata":"{\"k\":1}"},"events":[{"name":"First Token Stream Event","time":1350}]}])json", R"json([{"kind":"llm","provider":"azure.ai.openai","model":"gpt-4o-mini","input_text":"Weather?","output_text":"","prompt_tokens":90,"completion_tokens":10,"total_tokens":100,"cached_input_tokens":64,"cost_total":0.0012,"ttft_ms":350,"temperature":1.0,"max_tokens":50,"tool_calls":[{"id":"t1","name":"get_weather","arguments":"{\"c\":\"P\"}"}],"session_id":"s1","user_id":"u1","tags":["a","b"],"streaming":true}])json"}, Vector{"openllmetry_old_style", R"json([{"name":"openai.chat","kind":3,"attrs":{"llm.request.type":"chat","gen_ai.system":"Anthropic","gen_ai.request.model":"claude-3","gen_ai.response.model":"claude-3-5","gen_ai.prompt.0.role":"system","gen_ai.prompt.0.content":"S","gen_ai.prompt.1.role":"user","gen_ai.prompt.1.content":"U","gen_ai.completion.0.role":"assistant","gen_ai.completion.0.content":"A","gen_ai.completion.0.finish_reason":"end_turn","gen_ai.usage.prompt_tokens":40,"gen_ai.usage.completion_tokens":6,"llm.usage.total_tokens":46,"gen_ai.usage.cache_creation_input_tokens":20,"llm.is_streaming":false,"traceloop.association.properties.user_id":"u2","traceloop.prompt.key":"greet","traceloop.prompt.version":3}}])json", R"json([{"kind":"llm","provider":"anthropic","model":"claude-3-5","request_model":"claude-3","system_prompt":"S","input_text":"U","output_text":"A","prompt_tokens":40,"completion_tokens":6,"total_tokens":46,"cache_write_tokens":20,"stop_reason":"stop","user_id":"u2","prompt_name":"greet","prompt_version":"3","streaming":false}])json"},
                    Vector{
                        "vercel_wrapper_and_model_call",
                        R"json([{"S":"ai","id":"a","name":"ai.streamText","attrs":{"ai.operationId":"ai.streamText","operation.name":"ai.streamText fn","ai.telemetry.functionId":"fn","ai.telemetry.metadata.userId":"u3","ai.model.provider":"openai.responses","ai.model.id":"gpt-5","ai.prompt":"{\"prompt\":\"P\"}","ai.response.text":"R","ai.usage.inputTokens":11,"ai.usage.outputTokens":4}},
{"S":"ai","id":"b","parent":"a","name":"ai.streamText.doStream","attrs":{"ai.operationId":"ai.streamText.doStream","ai.model.provider":"openai.responses","ai.model.id":"gpt-5","ai.response.model":"gpt-5-2","ai.prompt.messages":"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"P\"}]}]","ai.response.text":"R","ai.response.finishReason":"tool-calls","ai.response.msToFirstChunk":250.5,"ai.usage.inputTokens":11,"ai.usage.outputTokens":4,"ai.usage.cachedInputTokens":0,"gen_ai.system":"openai.responses","gen_ai.usage.input_tokens":11,"gen_ai.usage.output_tokens":4}}])json",
                        R"json([{"kind":"chain","agent_name":"fn","user_id":"u3","provider":"openai","input_text":"{\"prompt\":\"P\"}","output_text":"R","rollup_prompt_tokens":11,"rollup_completion_tokens":4,"streaming":true},{"kind":"llm","provider":"openai","model":"gpt-5-2","request_model":"gpt-5","input_text":"P","output_text":"R","prompt_tokens":11,"completion_tokens":4,"total_tokens":15,"cached_input_tokens":0,"ttft_ms":250.5,"stop_reason":"tool_calls","streaming":true}])json"},
                    Vector{
                        "langfuse_disjoint_buckets",
                        R"json([{"S":"langfuse-sdk","name":"gen","start":1759308326000,"end":1759308328000,"attrs":{"langfuse.observation.type":"generation","langfuse.observation.model.name":"claude-sonnet-4","langfuse.observation.model.parameters":"{\"temperature\":\"0.5\",\"max_tokens\":99}","langfuse.observation.usage_details":"{\"input\":10,\"input_cached_tokens\":90,\"output\":7,\"output_reasoning_tokens\":3,\"total\":110}","langfuse.observation.cost_details":"{\"input\":0.001,\"output\":0.002,\"total\":0.003}","langfuse.observation.completion_start_time":"\"2025-10-01T08:45:26.500000Z\"","langfuse.observation.prompt.name":"p","langfuse.observation.prompt.version":4,"langfuse.observation.level":"ERROR","langfuse.observation.status_message":"boom","langfuse.environment":"staging","langfuse.release":"r7","session.id":"s","user.id":"u","langfuse.trace.tags":["x"]}}])json",
                        R"json([{"kind":"llm","model":"claude-sonnet-4","prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"cached_input_tokens":90,"reasoning_tokens":3,"cost_total":0.003,"ttft_ms":500,"temperature":0.5,"max_tokens":99,"prompt_name":"p","prompt_version":"4","error_message":"boom","environment":"staging","release":"r7","session_id":"s","user_id":"u","tags":["x"]}])json"},
                    Vector{
                        "strands_on_bedrock",
                        R"json([{"S":"strands.telemetry.tracer","id":"a","name":"invoke_agent A","attrs":{"gen_ai.operation.name":"invoke_agent","gen_ai.system":"strands-agents","gen_ai.agent.name":"A","gen_ai.request.model":"us.anthropic.claude-sonnet-4-20250514-v1:0","gen_ai.usage.input_tokens":50,"gen_ai.usage.prompt_tokens":50,"gen_ai.usage.output_tokens":20}},
{"S":"strands.telemetry.tracer","id":"b","parent":"a","name":"chat","start":0,"end":900,"attrs":{"gen_ai.operation.name":"chat","gen_ai.system":"strands-agents","gen_ai.request.model":"us.anthropic.claude-sonnet-4-20250514-v1:0","gen_ai.usage.prompt_tokens":50,"gen_ai.usage.input_tokens":50,"gen_ai.usage.completion_tokens":20,"gen_ai.usage.output_tokens":20,"gen_ai.usage.total_tokens":370,"gen_ai.usage.cache_read_input_tokens":300,"gen_ai.usage.cache_write_input_tokens":0,"gen_ai.server.time_to_first_token":310}}])json",
                        R"json([{"kind":"agent","agent_name":"A","rollup_prompt_tokens":50,"rollup_completion_tokens":20},{"kind":"llm","provider":"aws.bedrock","model":"us.anthropic.claude-sonnet-4-20250514-v1:0","prompt_tokens":350,"completion_tokens":20,"total_tokens":370,"cached_input_tokens":300,"cache_write_tokens":0,"ttft_ms":310}])json"},
                    Vector{
                        "tool_by_otel",
                        R"json([{"name":"execute_tool get_weather","attrs":{"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_weather","gen_ai.tool.call.arguments":"{\"city\":\"Paris\"}","gen_ai.tool.call.result":"rain"}}])json",
                        R"json([{"kind":"tool","tool_name":"get_weather","input_text":"{\"city\":\"Paris\"}","output_text":"rain"}])json"},
                    Vector{
                        "tool_by_vercel",
                        R"json([{"name":"ai.toolCall","attrs":{"ai.operationId":"ai.toolCall","ai.toolCall.name":"get_weather","ai.toolCall.args":"{\"city\":\"Paris\"}","ai.toolCall.result":"rain"}}])json",
                        R"json([{"kind":"tool","tool_name":"get_weather","input_text":"{\"city\":\"Paris\"}","output_text":"rain"}])json"},
                    Vector{"tool_by_mlflow", R"json([{"name":"w","attrs":{"mlflow.spanType":"\"TOOL\"","tool.name":"get_weather","mlflow.spanInputs":"{\"city\":\"Paris\"}","mlflow.spanOutputs":"\"rain\""}}])json", R"json([{"kind":"tool","tool_name":"get_weather","input_text":"{\"city\":\"Paris\"}","output_text":"rain"}])json"}, Vector{"langsmith_retriever_is_no_embedding", R"json([{"name":"VectorStoreRetriever","attrs":{"langsmith.span.kind":"retriever","gen_ai.operation.name":"embeddings","gen_ai.system":"langchain","gen_ai.prompt":"{\"query\":\"q\"}","langsmith.span.tags":"a, b","langsmith.metadata.thread_id":"th1","langsmith.trace.session_name":"proj"}}])json", R"json([{"kind":"retriever","provider":"","framework":"langchain","input_text":"{\"query\":\"q\"}","tags":["a","b"],"session_id":"th1"}])json"}, Vector{"litellm_boolean_as_text", R"json([{"S":"litellm","name":"litellm_request","attrs":{"llm.request.type":"acompletion","gen_ai.operation.name":"acompletion","gen_ai.system":"azure","gen_ai.request.model":"gpt-4o","llm.is_streaming":"True","gen_ai.usage.input_tokens":9,"gen_ai.usage.output_tokens":1,"gen_ai.usage.total_tokens":10,"gen_ai.cost.total_cost":0.0001,"gen_ai.response.finish_reasons":"[\"stop\"]"}}])json", R"json([{"kind":"llm","provider":"azure.ai.openai","model":"gpt-4o","prompt_tokens":9,"completion_tokens":1,"total_tokens":10,"cost_total":0.0001,"stop_reason":"stop","streaming":true}])json"}),
    [](const auto& test) { return std::string(test.param.what); });

}  // namespace
}  // namespace obs
