// What log events say about spans, and scores.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "enrich/enrich.h"
#include "enrich/otlp_json.h"
#include "enrich/test_rows.h"

namespace obs {
namespace {

using namespace testing_rows;

constexpr std::string_view empty_chat =
    R"([{"name":"chat","id":"e","attrs":{"gen_ai.operation.name":"chat","gen_ai.response.id":"r1"}}])";

Understood joined(std::string_view spans, std::string_view records) {
    Understood understood;
    understand(Signal::traces, Encoding::json, otlp_traces(spans), understood);
    understand(Signal::logs, Encoding::json, otlp_logs(records), understood);
    settle(understood);
    return understood;
}

std::string record(std::string_view event, std::string_view rest,
                   std::string_view span = "000000000000000e") {
    return R"({"eventName":")" + std::string(event) +
           R"(","traceId":"5b8efff798038103d269b633813fc60c","spanId":")" + std::string(span) + "\"," +
           std::string(rest) + "}";
}

std::string per_message_records() {
    return "[" + record("gen_ai.system.message", R"("body":{"content":"Be brief"})") + "," +
           record("gen_ai.user.message", R"("body":{"content":"Weather?"})") + "," +
           record(
               "gen_ai.assistant.message",
               R"("body":{"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]})") +
           "," + record("gen_ai.tool.message", R"("body":{"content":"rain","id":"c1"})") + "," +
           record(
               "gen_ai.choice",
               R"("body":{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"It rains."}})") +
           "]";
}

TEST(Events, ofOneMessageEachBecomeAConversation) {
    const Understood understood = joined(empty_chat, per_message_records());
    EXPECT_EQ(understood.logs.size(), 5U);
    EXPECT_EQ(understood.content.size(), 5U);
    const SpanBatch& spans = understood.spans;
    EXPECT_EQ(spans.system_prompt[0], "Be brief");
    EXPECT_EQ(spans.input_text[0], "Weather?");
    EXPECT_EQ(spans.output_text[0], "It rains.");
    EXPECT_EQ(spans.stop_reason[0], "stop");
    EXPECT_EQ(spans.input_messages[0],
              R"([{"role":"user","parts":[{"type":"text","content":"Weather?"}]},)"
              R"({"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":"{}"}]},)"
              R"({"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"rain"}]}])");
    EXPECT_EQ(spans.output_messages[0], "") << "output_text says all";
}

TEST(Events, canBeJoinedToEachOtherBeforeTheirSpanComes) {
    Understood understood;
    understand(Signal::logs, Encoding::json, otlp_logs(per_message_records()), understood);
    SpanBatch one;
    append_row(one, understood.content, 0);
    for (std::size_t event = 1; event < understood.content.size(); ++event)
        EXPECT_TRUE(merge_content(one, 0, understood.content, event));
    const Understood whole = joined(empty_chat, per_message_records());
    Understood late;
    understand(Signal::traces, Encoding::json, otlp_traces(empty_chat), late);
    EXPECT_EQ(one.input_messages[0], whole.spans.input_messages[0]);
    EXPECT_EQ(one.output_text[0], whole.spans.output_text[0]);
    EXPECT_TRUE(merge_content(late.spans, 0, one, 0));
    EXPECT_EQ(late.spans.input_messages[0], whole.spans.input_messages[0]);
    EXPECT_EQ(late.spans.input_text[0], whole.spans.input_text[0]);
    EXPECT_EQ(late.spans.output_text[0], whole.spans.output_text[0]);
    EXPECT_EQ(late.spans.system_prompt[0], whole.spans.system_prompt[0]);
}

TEST(Events, withAllDetailsReplaceWhatOthersSaid) {
    const std::string details = record(
        "gen_ai.client.inference.operation.details",
        R"("attrs":{"gen_ai.request.model":"gpt-4o","gen_ai.usage.input_tokens":7,"gen_ai.usage.output_tokens":2,)"
        R"("gen_ai.input.messages":[{"role":"user","parts":[{"type":"text","content":"Q"}]}],)"
        R"("gen_ai.output.messages":[{"role":"assistant","parts":[{"type":"text","content":"A"}]}]})");
    const Understood understood =
        joined(empty_chat,
               "[" + record("gen_ai.user.message", R"("body":{"content":"other"})") + "," + details + "]");
    EXPECT_EQ(understood.spans.input_text[0], "Q");
    EXPECT_EQ(understood.spans.output_text[0], "A");
    EXPECT_EQ(understood.spans.prompt_tokens[0], Tokens{7}) << "the span had no usage of its own";
    EXPECT_TRUE(understood.spans.total_cost[0]);
}

TEST(Events, neverReplaceWhatTheSpanSaid) {
    const std::string own =
        R"([{"name":"chat","id":"e","attrs":{"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":5,)"
        R"("gen_ai.input.messages":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"mine\"}]}]"}}])";
    const std::string details =
        record("gen_ai.client.inference.operation.details",
               R"("attrs":{"gen_ai.operation.name":"chat","gen_ai.usage.input_tokens":9,)"
               R"("gen_ai.input.messages":[{"role":"user","parts":[{"type":"text","content":"theirs"}]}],)"
               R"("gen_ai.output.messages":[{"role":"assistant","parts":[{"type":"text","content":"A"}]}]})");
    const Understood understood = joined(own, "[" + details + "]");
    EXPECT_EQ(understood.spans.input_text[0], "mine");
    EXPECT_EQ(understood.spans.output_text[0], "A");
    EXPECT_EQ(understood.spans.prompt_tokens[0], Tokens{5});
}

TEST(Events, withoutASpanAreKnownByTheAnswer) {
    const std::string details =
        record("gen_ai.client.inference.operation.details",
               R"("attrs":{"gen_ai.operation.name":"chat","gen_ai.response.id":"r1",)"
               R"("gen_ai.output.messages":[{"role":"assistant","parts":[{"type":"text","content":"A"}]}]})",
               "");
    const Understood understood = joined(empty_chat, "[" + details + "]");
    ASSERT_EQ(understood.content.size(), 1U);
    EXPECT_TRUE(understood.content.span_id[0].is_zero());
    EXPECT_EQ(understood.content.response_id[0], "r1");
    EXPECT_EQ(understood.spans.output_text[0], "A");
}

TEST(Events, ofSpansReadTheSame) {
    Understood understood;
    understand(Signal::traces, Encoding::json,
               otlp_traces(R"([{"name":"chat","attrs":{"gen_ai.operation.name":"chat"},"events":[
                   {"name":"gen_ai.content.prompt","attrs":{"gen_ai.prompt":"[{\"role\":\"user\",\"content\":\"Q\"}]"}},
                   {"name":"gen_ai.content.completion","attrs":{"gen_ai.completion":"A"}}]}])"),
               understood);
    EXPECT_EQ(understood.spans.input_text[0], "Q");
    EXPECT_EQ(understood.spans.output_text[0], "A");
    EXPECT_EQ(understood.spans.events[0], "") << "nothing is kept twice";
}

TEST(Events, joinOnlySoMuch) {
    Understood understood;
    const std::string word(300'000, 'x');
    std::string records = "[";
    for (int i = 0; i < 5; ++i)
        records +=
            (i == 0 ? "" : ",") + record("gen_ai.user.message", R"("body":{"content":")" + word + "\"}");
    understand(Signal::logs, Encoding::json, otlp_logs(records + "]"), understood);
    understand(Signal::traces, Encoding::json, otlp_traces(empty_chat), understood);
    settle(understood);
    EXPECT_GT(understood.spans.input_messages[0].size(), 900'000U);
    EXPECT_LT(understood.spans.input_messages[0].size(), std::size_t{1} << 20);
}

TEST(UnknownModels, areListedUpToALimitAndAllCounted) {
    UnknownModels unknown;
    for (int i = 0; i < 1000; ++i) unknown.add("openai", "model-" + std::to_string(i));
    unknown.add("openai", "model-0");
    EXPECT_EQ(unknown.spans(), 1001U);
    EXPECT_EQ(unknown.models.size(), UnknownModels::most_models + 1);
    EXPECT_EQ(unknown.models[0].spans, 2U);
}

constexpr std::string_view scored_span = "e457b5a2e4d86bd1";

void expect_score(const ScoreBatch& scores) {
    ASSERT_EQ(scores.size(), 1U);
    EXPECT_EQ(scores.name[0], "Relevance");
    EXPECT_EQ(scores.value[0], 4.0);
    EXPECT_EQ(scores.label[0], "pass");
    EXPECT_EQ(scores.comment[0], "ok");
    EXPECT_EQ(scores.span_id[0].hex(), scored_span);
    EXPECT_EQ(scores.project_id[0], "default");
}

TEST(Scores, comeAsLogEvents) {
    Understood understood;
    understand(
        Signal::logs, Encoding::json,
        otlp_logs(
            "[" +
            record("gen_ai.evaluation.result",
                   R"("attrs":{"gen_ai.evaluation.name":"Relevance","gen_ai.evaluation.score.value":4.0,)"
                   R"("gen_ai.evaluation.score.label":"pass","gen_ai.evaluation.explanation":"ok"})",
                   scored_span) +
            "]"),
        understood);
    expect_score(understood.scores);
}

TEST(Scores, comeOnSpansThatLinkToTheirTarget) {
    Understood understood;
    understand(
        Signal::traces, Encoding::json,
        otlp_traces(
            R"([{"name":"eval","links":[{"traceId":"80f198ee56343ba864fe8b2a57d3eff7","spanId":"e457b5a2e4d86bd1"}],
                   "attrs":{"openinference.span.kind":"EVALUATOR","evaluations.0.evaluation.name":"Relevance","evaluations.0.evaluation.score":4.0,
                   "evaluations.0.evaluation.label":"pass","evaluations.0.evaluation.explanation":"ok","evaluations.0.evaluation.annotator_kind":"LLM"}}])"),
        understood);
    expect_score(understood.scores);
    EXPECT_EQ(understood.scores.source[0], "LLM");
    EXPECT_EQ(understood.spans.kind[0], "evaluator");
}

}  // namespace
}  // namespace obs
