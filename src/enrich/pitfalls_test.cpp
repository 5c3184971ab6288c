// What is easy to get wrong: spans that break a convention in the ways that real ones do.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "enrich/otlp_json.h"
#include "enrich/test_rows.h"

namespace obs {
namespace {

using namespace testing_rows;

struct Pitfall {
    std::string_view what, attributes, expected;
    std::string_view more = "";  // further members of the span
};

class SpanPitfall : public testing::TestWithParam<Pitfall> {};

TEST_P(SpanPitfall, isAvoided) {
    Understood understood;
    const std::string span = R"([{"attrs":)" + std::string(GetParam().attributes) +
                             std::string(GetParam().more) + R"(,"name":"span"}])";
    understand(Signal::traces, Encoding::json, otlp_traces(span), understood);
    ASSERT_EQ(understood.spans.size(), 1U);
    simdjson::dom::parser parser;
    const simdjson::padded_string text(GetParam().expected);
    const JsonObject expected = parser.parse(text).get_object().value();
    const std::vector<Shown> rows = shown(understood.spans);
    for (const std::string& difference : differences(expected, rows[0])) ADD_FAILURE() << difference;
}

INSTANTIATE_TEST_SUITE_P(
    Known, SpanPitfall,
    testing::Values(Pitfall{"ordinary_spans_stay_ordinary", R"({"http.method":"GET","input":"x"})",
                            R"({"kind":"other","convention":null,"input_text":null,"is_call":0})"},
                    Pitfall{
                        "a_prompt_name_is_no_message",
                        R"({"gen_ai.operation.name":"chat","gen_ai.prompt.name":"greet","gen_ai.prompt.version":"v2"})",
                        R"({"prompt_name":"greet","prompt_version":"v2","input_text":null,"input_messages":null})"},
                    Pitfall{
                        "indexes_are_ordered_as_numbers",
                        R"({"llm.request.type":"chat","gen_ai.prompt.10.role":"user","gen_ai.prompt.10.content":"last","gen_ai.prompt.9.role":"user","gen_ai.prompt.9.content":"first"})",
                        R"({"input_text":"last","input_messages":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"first\"}]},{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"last\"}]}]"})"},
                    Pitfall{
                        "a_huge_index_stays_an_attribute",
                        R"({"openinference.span.kind":"LLM","llm.input_messages.999999999.message.role":"user"})",
                        R"({"input_messages":null,"attributes":"*"})"},
                    Pitfall{
                        "messages_as_structure",
                        R"({"gen_ai.operation.name":"chat","gen_ai.input.messages":[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]})",
                        R"({"input_text":"Hi","input_messages":null,"attributes":null})"},
                    Pitfall{
                        "messages_encoded_twice",
                        R"({"gen_ai.operation.name":"chat","gen_ai.input.messages":"\"[{\\\"role\\\":\\\"user\\\",\\\"parts\\\":[{\\\"type\\\":\\\"text\\\",\\\"content\\\":\\\"Hi\\\"}]}]\""})",
                        R"({"input_text":"Hi"})"},
                    Pitfall{
                        "truncated_messages_stay_as_they_came",
                        R"({"gen_ai.operation.name":"chat","gen_ai.input.messages":"[{\"role\":\"user\",\"par"})",
                        R"({"kind":"llm","input_text":"[{\"role\":\"user\",\"par"})"},
                    Pitfall{
                        "python_repr_stays_as_it_came",
                        R"({"gen_ai.operation.name":"chat","gen_ai.prompt":"[{'role': 'user', 'content': 'Hi'}]"})",
                        R"({"input_text":"[{'role': 'user', 'content': 'Hi'}]"})"},
                    Pitfall{"zero_tokens_are_data",
                            R"({"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":0})",
                            R"({"prompt_tokens":0,"completion_tokens":null,"total_tokens":0})"},
                    Pitfall{
                        "empty_models_are_absent",
                        R"({"gen_ai.operation.name":"chat","gen_ai.response.model":"None","gen_ai.request.model":"gpt-4o"})",
                        R"({"model":"gpt-4o","provider":"openai"})"},
                    Pitfall{
                        "negative_and_absurd_counts_are_ignored_and_flagged",
                        R"({"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":-5,"gen_ai.usage.output_tokens":1099511627777})",
                        R"({"prompt_tokens":null,"completion_tokens":null,"total_cost_usd":null,"flags":256})"},
                    Pitfall{
                        "an_ignored_count_does_not_hide_a_good_one",
                        R"({"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":-5,"gen_ai.usage.prompt_tokens":5})",
                        R"({"prompt_tokens":5,"flags":256})"},
                    Pitfall{"a_cost_that_is_no_number_is_ignored",
                            R"({"gen_ai.operation.name":"chat","gen_ai.usage.cost":"nan"})",
                            R"({"client_cost_usd":null,"flags":256})"},
                    Pitfall{
                        "the_client_prices_what_the_server_cannot",
                        R"({"gen_ai.operation.name":"chat","gen_ai.request.model":"house-model-1","gen_ai.usage.input_tokens":5,"gen_ai.cost.input_cost":0.5,"gen_ai.cost.output_cost":0.25,"gen_ai.cost.total_cost":0.75})",
                        R"({"total_cost_usd":0.75,"prompt_cost_usd":0.5,"completion_cost_usd":0.25,"cost_source":"client","price_rule":null})"},
                    Pitfall{
                        "a_cost_of_zero_from_who_knows_no_price_is_absent",
                        R"({"gen_ai.operation.name":"chat","gen_ai.request.model":"house-model-1","gen_ai.usage.input_tokens":5,"gen_ai.usage.cost":0})",
                        R"({"total_cost_usd":null,"client_cost_usd":null})"},
                    Pitfall{"seconds_from_openlit",
                            R"({"gen_ai.operation.name":"chat","gen_ai.server.time_to_first_token":0.31})",
                            R"({"ttft_ms":310})"},
                    Pitfall{"milliseconds_from_strands",
                            R"({"gen_ai.operation.name":"chat","gen_ai.server.time_to_first_token":310})",
                            R"({"ttft_ms":310})", R"(,"S":"strands.telemetry.tracer")"},
                    Pitfall{"a_first_token_after_the_end_is_dropped",
                            R"({"gen_ai.operation.name":"chat","gen_ai.response.time_to_first_chunk":11})",
                            R"({"ttft_ms":null,"attributes":"*"})"},
                    Pitfall{
                        "a_model_does_not_make_an_agent_a_call",
                        R"({"gen_ai.operation.name":"invoke_agent","gen_ai.agent.name":"A","gen_ai.request.model":"gpt-4o","gen_ai.usage.input_tokens":50})",
                        R"({"kind":"agent","is_call":0,"prompt_tokens":null,"rollup_prompt_tokens":50,"total_cost_usd":null})"},
                    Pitfall{"what_is_fetched_later_was_counted_before",
                            R"({"gen_ai.operation.name":"fetch_response","gen_ai.usage.input_tokens":50})",
                            R"({"kind":"llm","is_call":0,"prompt_tokens":null})"},
                    Pitfall{"unknown_operations_are_kept", R"({"gen_ai.operation.name":"dream"})",
                            R"({"kind":"other","operation_type":"dream","convention":"otel-genai"})"},
                    Pitfall{"operations_are_known_by_their_beginning",
                            R"({"gen_ai.operation.name":"chat_stream"})",
                            R"({"kind":"llm","operation_type":"chat_stream"})"},
                    Pitfall{"a_model_with_usage_is_a_call",
                            R"({"llm.request.model":"gpt-4o","llm.usage.prompt_tokens":5})",
                            R"({"kind":"llm","model":"gpt-4o","prompt_tokens":5})"},
                    Pitfall{
                        "an_unknown_stop_reason_is_kept",
                        R"({"gen_ai.operation.name":"chat","gen_ai.response.finish_reasons":["moonrise"]})",
                        R"({"stop_reason":"other","attributes":"*"})"},
                    Pitfall{"a_changed_provider_is_kept",
                            R"({"gen_ai.operation.name":"chat","gen_ai.system":"Azure"})",
                            R"({"provider":"azure.ai.openai","attributes":"*"})"},
                    Pitfall{
                        "what_a_column_says_is_not_kept_twice",
                        R"({"gen_ai.operation.name":"chat","gen_ai.provider.name":"openai","gen_ai.request.model":"gpt-4o","gen_ai.response.model":"gpt-4o-2024-08-06","gen_ai.usage.input_tokens":3,"gen_ai.usage.prompt_tokens":3,"gen_ai.request.temperature":0.5,"gen_ai.response.finish_reasons":["stop"],"gen_ai.conversation.id":"c"})",
                        R"({"attributes":null})"},
                    Pitfall{
                        "an_error_is_named_by_its_exception", R"({"gen_ai.operation.name":"chat"})",
                        R"({"status_code":"ERROR","error_code":"TimeoutError","error_message":"too late"})",
                        R"(,"status":2,"events":[{"name":"exception","attrs":{"exception.type":"TimeoutError","exception.message":"too late"}}])"},
                    Pitfall{"an_exception_without_error_is_a_warning", R"({"gen_ai.operation.name":"chat"})",
                            R"({"status_code":"UNSET","error_code":null,"error_message":null,"events":"*"})",
                            R"(,"events":[{"name":"exception","attrs":{"exception.type":"RetryError"}}])"},
                    Pitfall{
                        "a_warning_of_langfuse_is_no_error",
                        R"({"langfuse.observation.type":"span","langfuse.observation.level":"WARNING","langfuse.observation.status_message":"slow"})",
                        R"({"status_code":"UNSET","error_message":null})"},
                    Pitfall{"a_session_of_a_browser_is_kept_as_it_is", R"({"session.id":"rum-1"})",
                            R"({"kind":"other","session_id":"rum-1","attributes":"*"})"},
                    Pitfall{
                        "anthropic_numbers_of_old_vercel_leave_the_cache_out",
                        R"({"ai.operationId":"ai.generateText.doGenerate","ai.model.provider":"anthropic.messages","ai.model.id":"claude-sonnet-4-0","ai.usage.promptTokens":500,"ai.usage.completionTokens":20,"ai.response.providerMetadata":"{\"anthropic\":{\"usage\":{\"cache_read_input_tokens\":300,\"cache_creation_input_tokens\":0}}}"})",
                        R"({"prompt_tokens":800,"cached_input_tokens":300,"cache_write_tokens":0,"total_tokens":820})"},
                    Pitfall{
                        "gemini_thoughts_are_beside_candidates",
                        R"({"gcp.vertex.agent.llm_response":"{\"content\":{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"model\"},\"usage_metadata\":{\"prompt_token_count\":9,\"candidates_token_count\":4,\"thoughts_token_count\":3}}"})",
                        R"({"output_text":"Hi","prompt_tokens":9,"completion_tokens":7,"reasoning_tokens":3})",
                        R"(,"S":"gcp.vertex.agent","name":"call_llm")"},
                    Pitfall{
                        "a_conversation_of_openai_is_understood", R"({"mlflow.spanType":"\"CHAT_MODEL\"","mlflow.spanInputs":"{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"See\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}}]}]}","mlflow.spanOutputs":"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}"})", R"({"request_model":"gpt-4o","input_text":"See","stop_reason":"tool_calls","tool_calls":[{"id":"c","name":"f","arguments":"{}"}],"input_messages":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"See\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y.png\"}}]}]"})"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Pending, spansAreRunningAndNotStored) {
    Understood understood;
    understand(
        Signal::traces, Encoding::json,
        otlp_traces(
            R"([{"name":"chat","id":"a","parent":"b","attrs":{"gen_ai.operation.name":"chat","logfire.span_type":"pending_span","logfire.pending_parent_id":"0000000000000007"}},
                               {"name":"done","id":"c","attrs":{"logfire.span_type":"span"}}])"),
        understood);
    ASSERT_EQ(understood.spans.size(), 1U);
    EXPECT_EQ(understood.spans.span_name[0], "done");
    ASSERT_EQ(understood.pending.size(), 1U);
    // The placeholder stands below the span that it announces.
    EXPECT_EQ(understood.pending.span_id[0].hex(), "000000000000000b");
    EXPECT_EQ(understood.pending.parent_span_id[0].hex(), "0000000000000007");
}

TEST(Search, findsWordsOfInputAndOutput) {
    Understood understood;
    understand(
        Signal::traces, Encoding::json,
        otlp_traces(
            R"([{"name":"t","attrs":{"gen_ai.operation.name":"execute_tool","gen_ai.tool.call.arguments":"refunds","gen_ai.tool.call.result":"granted"}}])"),
        understood);
    EXPECT_EQ(understood.spans.search_text[0], "refund grant");
}

}  // namespace
}  // namespace obs
