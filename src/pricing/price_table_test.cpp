#include "pricing/price_table.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace obs {
namespace {

using testing::HasSubstr;

const PriceTable& built_in() {
    static const Result<PriceTable> table = PriceTable::load();
    return table.value();
}

UnixNanos on(std::string_view day) {
    return parse_rfc3339(day).value();
}

std::string rule(std::string_view provider, std::string_view model, std::string_view day = "2026-10-20",
                 std::string_view service = {}, const PriceTable& table = built_in()) {
    const Price* price = table.find(provider, model, on(day), service);
    return price == nullptr ? "unknown" : price->rule.substr(price->rule.find(':') + 1);
}

TEST(Catalogue, hasFarMoreModelsThanAsked) {
    EXPECT_GE(built_in().models(), 1500u);
    EXPECT_THAT(std::string(built_in().catalogue()), testing::StartsWith("genai-prices/"));
}

TEST(Catalogue, tellsWhichRulePriced) {
    const Price* price = built_in().find("openai", "o3", on("2026-01-01"));
    ASSERT_NE(price, nullptr);
    EXPECT_EQ(price->rule, std::string(built_in().catalogue()) + ":openai/o3@2025-06-10");
}

struct NameCase {
    std::string what;
    std::string_view provider, model, expected;
};
class Names : public testing::TestWithParam<NameCase> {};

TEST_P(Names, findTheirPrice) {
    EXPECT_EQ(rule(GetParam().provider, GetParam().model), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Find, Names,
    testing::Values(
        NameCase{"as_it_is", "openai", "gpt-4o", "openai/gpt-4o"},
        NameCase{"any_case", "OpenAI", "GPT-4o", "openai/gpt-4o"},
        NameCase{"a_dated_name_with_its_own_price", "openai", "gpt-4o-2024-05-13",
                 "openai/gpt-4o-2024-05-13"},
        NameCase{"a_date_that_nobody_knows", "openai", "gpt-4o-2027-01-01", "openai/gpt-4o"},
        NameCase{"a_date_without_dashes", "openai", "gpt-5.2-20251211", "openai/gpt-5.2"},
        NameCase{"anthropic_with_date", "anthropic", "claude-3-5-sonnet-20241022",
                 "anthropic/claude-3-5-sonnet"},
        NameCase{"vertex_with_at", "gcp.vertex_ai", "claude-3-5-sonnet@20241022", "google/claude-3-5-sonnet"},
        NameCase{"gemini_with_models_prefix", "gcp.gemini", "models/gemini-2.5-flash",
                 "google/gemini-2.5-flash"},
        NameCase{"vertex_publisher", "gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash",
                 "google/gemini-2.5-flash"},
        NameCase{"google_of_any_kind", "gcp.gen_ai", "gemini-2.5-flash", "google/gemini-2.5-flash"},
        NameCase{"latest", "gcp.gemini", "gemini-2.5-pro-latest", "google/gemini-2.5-pro"},
        NameCase{"bedrock_with_region", "aws.bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
                 "aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0"},
        NameCase{"bedrock_without_region", "aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0",
                 "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"},
        NameCase{"bedrock_profile", "aws.bedrock",
                 "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0",
                 "aws/regional.anthropic.claude-sonnet-4-20250514-v1:0"},
        NameCase{"azure_sells_openai", "azure.ai.openai", "gpt-4o-2024-08-06", "openai/gpt-4o"},
        NameCase{"azure_spells_without_a_dot", "azure.ai.openai", "gpt-35-turbo", "openai/gpt-3.5-turbo"},
        NameCase{"an_azure_deployment_is_no_model", "azure.ai.openai", "my-deployment", "unknown"},
        NameCase{"openrouter", "openrouter", "anthropic/claude-3.5-sonnet",
                 "openrouter/anthropic/claude-3.5-sonnet"},
        NameCase{"vendor_before_the_model", "openai", "openai/gpt-4o", "openai/gpt-4o"},
        NameCase{"a_preview_of_gpt_4", "openai", "gpt-4-9999-preview", "openai/gpt-4-turbo"},
        NameCase{"a_later_gpt_3_5", "openai", "gpt-3.5-turbo-9999", "openai/gpt-3.5-turbo"},
        NameCase{"tuned", "openai", "ft:gpt-4o-2024-08-06:acme::x1", "openai/ft:gpt-4o"},
        NameCase{"tuned_and_older", "openai", "ft:gpt-4.1-mini-2025-04-14:acme::x1",
                 "*openai/ft:gpt-4.1-mini-*"},
        NameCase{"tuned_never_falls_to_its_base", "openai", "ft:gpt-5:acme::x1", "unknown"},
        NameCase{"older_than_the_catalogue", "anthropic", "claude-instant-1.2",
                 "anthropic/claude-instant-1.2"},
        NameCase{"canonical_mistral", "mistral_ai", "mistral-large-latest", "mistral/mistral-large"},
        NameCase{"canonical_x_ai", "x_ai", "grok-4", "x-ai/grok-4-0709"},
        NameCase{"canonical_moonshot", "moonshot_ai", "kimi-k2-0711-preview",
                 "moonshotai/kimi-k2-0711-preview"},
        NameCase{"another_provider_by_its_own_name", "cerebras", "gpt-oss-120b", "cerebras/gpt-oss-120b"},
        NameCase{"unknown_model", "openai", "gpt-nonsense", "unknown"},
        NameCase{"unknown_provider", "acme", "gpt-4o", "unknown"},
        NameCase{"a_model_of_another_provider", "groq", "gpt-4o", "unknown"},
        NameCase{"self_hosted_is_not_assumed_free", "ollama", "mistral-7b", "unknown"},
        NameCase{"billed_by_seconds", "openai", "whisper-1", "unknown"},
        NameCase{"without_provider_but_known_to_all_alike", "", "gpt-4o", "openai/gpt-4o"},
        NameCase{"without_provider_and_prices_differ", "", "deepseek/deepseek-chat", "unknown"},
        NameCase{"without_provider_and_unknown", "", "llama3", "unknown"},
        NameCase{"empty_model", "openai", "", "unknown"}),
    [](const auto& test) { return test.param.what; });

struct OlderNames {
    std::string_view provider;
    std::vector<std::string_view> models;
};

// The names that the older JavaScript, Python and Rust libraries priced.
TEST(Find, knowsEveryNameOfTheOlderLibraries) {
    const OlderNames all[] = {
        {"openai",
         {"gpt-4o",
          "gpt-4o-2024-11-20",
          "gpt-4o-2024-08-06",
          "gpt-4o-2024-05-13",
          "gpt-4o-mini",
          "gpt-4o-mini-2024-07-18",
          "gpt-4-turbo",
          "gpt-4-turbo-2024-04-09",
          "gpt-4-turbo-preview",
          "gpt-4-0125-preview",
          "gpt-4-1106-preview",
          "gpt-4",
          "gpt-4-0613",
          "gpt-4-32k",
          "gpt-4-32k-0613",
          "gpt-3.5-turbo",
          "gpt-3.5-turbo-0125",
          "gpt-3.5-turbo-1106",
          "gpt-3.5-turbo-16k",
          "o1-preview",
          "o1-preview-2024-09-12",
          "o1-mini",
          "o1-mini-2024-09-12",
          "text-embedding-3-small"}},
        {"anthropic",
         {"claude-sonnet-4.5", "claude-sonnet-4-5-20250929", "claude-3-5-sonnet-20241022",
          "claude-3-5-sonnet-20240620", "claude-3-sonnet-20240229", "claude-3-5-haiku-20241022",
          "claude-3-opus-20240229", "claude-3-haiku-20240307", "claude-2.1", "claude-2.0",
          "claude-instant-1.2"}},
        {"gcp.gemini",
         {"gemini-2.5-pro", "gemini-2.5-pro-latest", "gemini-1.5-pro", "gemini-1.5-pro-latest",
          "gemini-1.5-pro-001", "gemini-1.5-pro-002", "gemini-2.5-flash", "gemini-2.5-flash-latest",
          "gemini-1.5-flash", "gemini-1.5-flash-latest", "gemini-1.5-flash-001", "gemini-1.5-flash-002",
          "gemini-1.0-pro", "gemini-pro"}},
        {"mistral_ai",
         {"mistral-large-latest", "mistral-large-2411", "mistral-large-2407", "mistral-medium-latest",
          "mistral-medium-2312", "mistral-small-latest", "mistral-small-2409", "mistral-tiny", "mistral-7b",
          "mixtral-8x7b"}},
    };
    for (const auto& [provider, models] : all)
        for (std::string_view model : models)
            EXPECT_NE(built_in().find(provider, model, on("2024-12-01")), nullptr)
                << provider << " " << model;
}

TEST(Find, pricesACallAsTheContractSays) {
    const Price* turbo = built_in().find("openai", "gpt-4-turbo", on("2024-12-01"));
    ASSERT_NE(turbo, nullptr);
    EXPECT_EQ(cost_of({.input = Tokens{850}, .output = Tokens{150}}, *turbo)->total.nanos, 13'000'000);
}

TEST(Find, refusesNamesThatAreNoNames) {
    EXPECT_EQ(built_in().find("openai", std::string(100'000, '*'), on("2026-01-01")), nullptr);
    EXPECT_EQ(built_in().find("openai", "gpt-4o\n\xff", on("2026-01-01")), nullptr);
}

TEST(Find, takesThePriceOfTheSpansOwnDay) {
    EXPECT_EQ(rule("openai", "o3", "2025-06-09T23:59:59.999Z"), "openai/o3");
    EXPECT_EQ(rule("openai", "o3", "2025-06-10"), "openai/o3@2025-06-10");
    const Price* before = built_in().find("openai", "o3", on("2025-06-09"));
    const Price* after = built_in().find("openai", "o3", on("2025-06-10"));
    EXPECT_EQ(before->base.input->picos, 10'000'000);
    EXPECT_EQ(after->base.input->picos, 2'000'000);
}

TEST(Find, knowsHoursOfTheDay) {
    EXPECT_EQ(rule("deepseek", "deepseek-chat", "2025-05-01T00:29:59Z"), "deepseek/deepseek-chat");
    EXPECT_EQ(rule("deepseek", "deepseek-chat", "2025-05-01T00:30:00Z"),
              "deepseek/deepseek-chat@00:30-16:30");
    EXPECT_EQ(rule("deepseek", "deepseek-chat", "2025-05-01T16:30:00Z"), "deepseek/deepseek-chat");
    EXPECT_EQ(rule("deepseek", "deepseek-chat", "1969-12-31T12:00:00Z"),
              "deepseek/deepseek-chat@00:30-16:30");
}

TEST(Find, knowsServices) {
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-10-20", "batch"), "openai/gpt-4o@2026-10-14+batch");
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-10-20", "priority"), "openai/gpt-4o@2026-10-12+priority");
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-10-13", "batch"), "openai/gpt-4o")
        << "not known before that day";
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-10-20", "scale"), "openai/gpt-4o") << "a service without prices";
}

TEST(Find, sameAnswerInEveryThreadAndAgain) {
    const Price* first = built_in().find("openai", "gpt-4o", on("2026-10-20"));
    EXPECT_EQ(built_in().find("openai", "gpt-4o", on("2026-10-20")), first);
    std::jthread([&] { EXPECT_EQ(built_in().find("openai", "gpt-4o", on("2026-10-20")), first); }).join();
}

PriceTable with(std::string_view yaml) {
    return PriceTable::with_user_prices(yaml, "mine.yaml").value();
}

TEST(UserPrices, winOverTheCatalogue) {
    const PriceTable table =
        with("prices: [{provider: openai, model: gpt-4o, input: 1.25, output: 0.000001}]");
    const Price* price = table.find("openai", "gpt-4o", on("2026-10-20"));
    ASSERT_NE(price, nullptr);
    EXPECT_EQ(price->rule, "mine.yaml:openai/gpt-4o");
    EXPECT_EQ(price->base.input->picos, 1'250'000);
    EXPECT_EQ(price->base.output->picos, 1);
    EXPECT_EQ(built_in().find("openai", "gpt-4o", on("2026-10-20"))->base.input->picos, 2'500'000)
        << "another table does not answer from this one's memory";
}

TEST(UserPrices, holdFromTheirDayOn) {
    const PriceTable table = with(R"(
prices:
  - {provider: openai, model: gpt-4o, valid_from: 2026-05-01, input: 2}
  - {provider: openai, model: gpt-4o, valid_from: 2026-03-01, input: 1}
)");
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-02-28", {}, table), "openai/gpt-4o") << "before: the catalogue";
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-03-01", {}, table), "openai/gpt-4o@2026-03-01");
    EXPECT_EQ(rule("openai", "gpt-4o", "2026-06-01", {}, table), "openai/gpt-4o@2026-05-01");
}

TEST(UserPrices, havePatternsServicesAndTiers) {
    const PriceTable table = with(R"(
prices:
  - {model: "acme-*", input: 1, request: 0.01}
  - {provider: ollama, model: "*", input: 0, output: 0}
  - {provider: openai, model: gpt-x, input: 3, tiers: [{above: 1000, input: 6}, {above: 2000, input: 9}]}
  - {provider: openai, model: gpt-x, service: batch, input: 1.5}
)");
    EXPECT_EQ(rule("", "ACME-large", "2026-01-01", {}, table), "*/acme-*");
    EXPECT_EQ(rule("ollama", "llama3", "2026-01-01", {}, table), "ollama/*");
    EXPECT_EQ(rule("openai", "gpt-x", "2026-01-01", "batch", table), "openai/gpt-x+batch");
    const Price* price = table.find("openai", "gpt-x", on("2026-01-01"));
    EXPECT_EQ(price->rates_for({1000}).input->picos, 3'000'000);
    EXPECT_EQ(price->rates_for({1001}).input->picos, 6'000'000);
    EXPECT_EQ(price->rates_for({2001}).input->picos, 9'000'000);
    EXPECT_EQ(table.find("", "acme-1", on("2026-01-01"))->request->picos, 10'000'000'000);
}

struct BadFile {
    std::string what;
    std::string_view yaml, reason;
};
class BadUserPrices : public testing::TestWithParam<BadFile> {};

TEST_P(BadUserPrices, areRefusedWithLineAndReason) {
    const Result<PriceTable> table = PriceTable::with_user_prices(GetParam().yaml, "mine.yaml");
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().kind, ErrorKind::invalid_input);
    EXPECT_THAT(table.error().message, HasSubstr("mine.yaml: line "));
    EXPECT_THAT(table.error().message, HasSubstr(std::string(GetParam().reason)));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadUserPrices,
    testing::Values(
        BadFile{"no_yaml", "prices: [", "line 1"}, BadFile{"a_list", "- 1", "one list called prices"},
        BadFile{"another_key", "price: []", "one list called prices"},
        BadFile{"no_model", "prices:\n  - {input: 1}", "line 2: a price needs a model"},
        BadFile{"no_rate", "prices:\n\n  - {model: a}", "line 3: a price needs at least one rate"},
        BadFile{"a_typo", "prices:\n  - model: a\n    inptu: 1", "line 3: inptu is not a field"},
        BadFile{"negative", "prices: [{model: a, input: -1}]", "input must be a number of USD"},
        BadFile{"too_fine", "prices: [{model: a, input: 0.0000001}]", "at most 6 decimals"},
        BadFile{"a_word", "prices: [{model: a, input: cheap}]", "input must be a number"},
        BadFile{"not_a_number", "prices: [{model: a, input: nan}]", "input must be a number"},
        BadFile{"a_bad_day", "prices: [{model: a, input: 1, valid_from: soon}]", "valid_from must be a day"},
        BadFile{"twice", "prices: [{model: a, input: 1, input: 2}]", "stands twice"},
        BadFile{"tiers_fall",
                "prices: [{model: a, input: 1, tiers: [{above: 5, input: 1}, {above: 5, input: 2}]}]",
                "tiers must ascend"},
        BadFile{"a_tier_without_start", "prices: [{model: a, input: 1, tiers: [{input: 1}]}]",
                "needs above"}),
    [](const auto& test) { return test.param.what; });

TEST(UserPrices, aMissingFileIsNamed) {
    const Result<PriceTable> table = PriceTable::load("/nowhere/prices.yaml");
    ASSERT_FALSE(table);
    EXPECT_THAT(table.error().message, HasSubstr("/nowhere/prices.yaml"));
}

}  // namespace
}  // namespace obs
