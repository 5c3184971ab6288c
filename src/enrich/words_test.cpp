// Tables of words and numbers: providers, stop reasons, token rules, values sent as something else.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "enrich/keys.h"
#include "enrich/providers.h"
#include "enrich/sample.h"
#include "enrich/stop_reasons.h"
#include "enrich/usage.h"
#include "enrich/values.h"

namespace obs {
namespace {

TEST(Providers, haveOneSpelling) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"openai", "openai"},
        {"OpenAI", "openai"},
        {"\"openai\"", "openai"},
        {"openai.responses", "openai"},
        {"az.ai.openai", "azure.ai.openai"},
        {"Azure", "azure.ai.openai"},
        {"azure_ai", "azure.ai.inference"},
        {"Anthropic", "anthropic"},
        {"anthropic.messages", "anthropic"},
        {"AWS", "aws.bedrock"},
        {"amazon-bedrock", "aws.bedrock"},
        {"vertex_ai", "gcp.vertex_ai"},
        {"google.vertex.chat", "gcp.vertex_ai"},
        {"google.generative-ai", "gcp.gemini"},
        {"gemini", "gcp.gemini"},
        {"Google", "gcp.gen_ai"},
        {"MistralAI", "mistral_ai"},
        {"xai", "x_ai"},
        {"Watsonx", "ibm.watsonx.ai"},
        {"TogetherAI", "together_ai"},
        {"HuggingFace", "hugging_face"},
        {"fireworks_ai", "fireworks"},
        {"my-own-gateway", ""},
    };
    for (const auto& [word, canonical] : cases) {
        EXPECT_EQ(read_provider(word).canonical, canonical) << word;
        EXPECT_FALSE(read_provider(word).is_framework) << word;
    }
    for (const std::string_view framework :
         {"langchain", "Langchain", "strands-agents", "crewai", "_OTHER", "Unknown"})
        EXPECT_TRUE(read_provider(framework).is_framework) << framework;
}

TEST(Providers, followFromModelOrHostOnlyWhenOneFits) {
    const std::pair<std::string_view, std::string_view> models[] = {
        {"gpt-4o", "openai"},
        {"us.anthropic.claude-sonnet-4-20250514-v1:0", "aws.bedrock"},
        {"anthropic.claude-v2", "aws.bedrock"},
        {"claude-sonnet-4-0", "anthropic"},
        {"models/gemini-2.5-flash", "gcp.gemini"},
        {"openai/gpt-4o", "openai"},
        {"groq/llama-3.3-70b", "groq"},
        {"llama-3.3-70b", ""},
        {"", ""},
    };
    for (const auto& [model, provider] : models) EXPECT_EQ(provider_of_model(model), provider) << model;
    EXPECT_EQ(provider_of_host("api.openai.com"), "openai");
    EXPECT_EQ(provider_of_host("team.openai.azure.com"), "azure.ai.openai");
    EXPECT_EQ(provider_of_host("bedrock-runtime.eu-central-1.amazonaws.com"), "aws.bedrock");
    EXPECT_EQ(provider_of_host("127.0.0.1"), "");
}

TEST(StopReasons, haveOneSpelling) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"stop", "stop"},
        {"STOP", "stop"},
        {"end_turn", "stop"},
        {"stop_sequence", "stop"},
        {"COMPLETE", "stop"},
        {"max_tokens", "length"},
        {"MAX_TOKENS", "length"},
        {"incomplete", "length"},
        {"tool-calls", "tool_calls"},
        {"tool_use", "tool_calls"},
        {"tool_call", "tool_calls"},
        {"function_call", "tool_calls"},
        {"SAFETY", "content_filter"},
        {"content-filter", "content_filter"},
        {"refusal", "content_filter"},
        {"failed", "error"},
        {"compaction", "other"},
        {"", ""},
        {"None", ""},
    };
    for (const auto& [word, canonical] : cases) EXPECT_EQ(canonical_stop_reason(word), canonical) << word;
}

struct UsageCase {
    std::string_view what;
    TokenCounts reported;
    TokenCounts expected;
    CacheCount cache = CacheCount::unknown;
    ReasoningCount reasoning = ReasoningCount::unknown;
};

std::optional<Tokens> n(std::int64_t count) {
    return Tokens{count};
}

TEST(Usage, hasOneMeaning) {
    const UsageCase cases[] = {
        {"nothing is unknown, not zero", {}, {}},
        {"total is the sum",
         {.prompt = n(3), .completion = n(4)},
         {.prompt = n(3), .completion = n(4), .total = n(7)}},
        {"zero is data", {.prompt = n(0)}, {.prompt = n(0), .total = n(0)}},
        {"only a total stays a total", {.total = n(9)}, {.total = n(9)}},
        {"a total that does not add up is replaced",
         {.prompt = n(3), .completion = n(4), .total = n(99)},
         {.prompt = n(3), .completion = n(4), .total = n(7)}},
        {"cache inside by the total",
         {.prompt = n(160), .completion = n(12), .total = n(172), .cached = n(64)},
         {.prompt = n(160), .completion = n(12), .total = n(172), .cached = n(64)},
         CacheCount::beside},
        {"cache beside by the total",
         {.prompt = n(500), .completion = n(20), .total = n(820), .cached = n(300)},
         {.prompt = n(800), .completion = n(20), .total = n(820), .cached = n(300)}},
        {"more cache than input can only be beside",
         {.prompt = n(50), .completion = n(20), .cached = n(200), .cache_write = n(10)},
         {.prompt = n(260), .completion = n(20), .total = n(280), .cached = n(200), .cache_write = n(10)}},
        {"a source known to count beside",
         {.prompt = n(500), .completion = n(20), .cached = n(300)},
         {.prompt = n(800), .completion = n(20), .total = n(820), .cached = n(300)},
         CacheCount::beside},
        {"an unknown source counts inside",
         {.prompt = n(500), .completion = n(20), .cached = n(300)},
         {.prompt = n(500), .completion = n(20), .total = n(520), .cached = n(300)}},
        {"reasoning inside",
         {.prompt = n(1), .completion = n(80), .reasoning = n(30)},
         {.prompt = n(1), .completion = n(80), .total = n(81), .reasoning = n(30)}},
        {"more reasoning than output can only be beside",
         {.prompt = n(1), .completion = n(5), .reasoning = n(30)},
         {.prompt = n(1), .completion = n(35), .total = n(36), .reasoning = n(30)}},
        {"thoughts beside candidates",
         {.prompt = n(1), .completion = n(20), .reasoning = n(15)},
         {.prompt = n(1), .completion = n(35), .total = n(36), .reasoning = n(15)},
         CacheCount::unknown,
         ReasoningCount::beside},
    };
    for (const UsageCase& test : cases)
        EXPECT_TRUE(canonical_counts(test.reported, test.cache, test.reasoning) == test.expected)
            << test.what;
}

TEST(Values, numbersComeAsAnything) {
    EXPECT_EQ(integer_of(RawValue::of_integer(7)), 7);
    EXPECT_EQ(integer_of(RawValue::of_number(7.0)), 7);
    EXPECT_EQ(integer_of(RawValue::of_text(" 7 ")), 7);
    EXPECT_EQ(integer_of(RawValue::of_text("\"7\"")), 7);
    EXPECT_EQ(integer_of(RawValue::of_text("7.0")), 7);
    EXPECT_EQ(integer_of(RawValue::of_text("[7]", AttributeType::json)), 7);
    for (const std::string_view text : {"", "seven", "7 tokens", "7.5", "nan", "1e400", "{}"})
        EXPECT_EQ(integer_of(RawValue::of_text(text)), std::nullopt) << text;
    EXPECT_EQ(integer_of(RawValue::of_number(std::numeric_limits<double>::quiet_NaN())), std::nullopt);
    EXPECT_EQ(integer_of(RawValue::of_number(1e300)), std::nullopt);
    EXPECT_EQ(integer_of(RawValue::of_boolean(true)), std::nullopt);
    EXPECT_EQ(number_of(RawValue::of_text("0.5")), 0.5);
    EXPECT_EQ(number_of(RawValue::of_integer(1)), 1.0);
    EXPECT_EQ(number_of(RawValue::of_number(std::numeric_limits<double>::infinity())), std::nullopt);
}

TEST(Values, booleansComeAsText) {
    for (const std::string_view yes : {"true", "True", "TRUE", "1", "\"true\""})
        EXPECT_EQ(boolean_of(RawValue::of_text(yes)), true) << yes;
    for (const std::string_view no : {"false", "False", "0"})
        EXPECT_EQ(boolean_of(RawValue::of_text(no)), false) << no;
    EXPECT_EQ(boolean_of(RawValue::of_text("yes")), std::nullopt);
    EXPECT_EQ(boolean_of(RawValue::of_boolean(false)), false);
}

TEST(Values, listsComeAsText) {
    for (const std::string_view list : {"stop", "[\"stop\"]", "['stop', 'length']", "[\"stop\",\"length\"]",
                                        "stop,length", " [ \"stop\" ] ", "\"stop\""})
        EXPECT_EQ(first_of_list(list), "stop") << list;
    EXPECT_EQ(first_of_list("[]"), "");
}

TEST(Values, someWordsSayNothing) {
    for (const std::string_view word : {"", "null", "None", "N/A", "<not specified>"})
        EXPECT_TRUE(says_nothing(word));
    for (const std::string_view word : {"none of them", "0", "no"}) EXPECT_FALSE(says_nothing(word));
}

TEST(Sampling, tellsTheShareThatWasKept) {
    EXPECT_EQ(kept_share("ot=th:8"), 0.5);
    EXPECT_EQ(kept_share("ot=th:c"), 0.25);
    EXPECT_EQ(kept_share("congo=t61rcWkgMzE,ot=rv:abcdefabcdefab;th:0"), 1.0);
    for (const std::string_view state :
         {"", "ot=rv:1", "other=th:8", "ot=th:", "ot=th:xyz", "ot=th:123456789012345"})
        EXPECT_EQ(kept_share(state), std::nullopt) << state;
}

struct KeyCase {
    std::string_view key;
    FlatList list;
    std::uint32_t item = 0;
};

TEST(Keys, flattenedListsAreKnownByTheirNumbers) {
    const KeyCase cases[] = {
        {"llm.input_messages.12.message.role", FlatList::input_messages, 12},
        {"llm.output_messages.0.message.tool_calls.3.tool_call.id", FlatList::output_messages, 0},
        {"gen_ai.prompt.1.content", FlatList::prompts, 1},
        {"gen_ai.prompt.name", FlatList::none},
        {"gen_ai.prompt.variable.0", FlatList::none},
        {"gen_ai.completion.9999.content", FlatList::completions, 9999},
        {"gen_ai.completion.10000.content", FlatList::none},
        {"llm.input_messages.999999999.message.role", FlatList::none},
        {"llm.input_messages.99999999999999999999.message.role", FlatList::none},
        {"llm.input_messages.-1.message.role", FlatList::none},
        {"llm.input_messages..message.role", FlatList::none},
        {"llm.input_messages.1", FlatList::none},
        {"evaluations.0.evaluation.score", FlatList::span_scores, 0},
        {"trace.annotations.2.annotation.label", FlatList::trace_scores, 2},
    };
    for (const KeyCase& test : cases) {
        const KeyInfo info = describe_key(test.key);
        EXPECT_EQ(info.list, test.list) << test.key;
        EXPECT_EQ(info.item(), test.list == FlatList::none ? 0 : test.item) << test.key;
    }
}

}  // namespace
}  // namespace obs
