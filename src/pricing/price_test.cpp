#include "pricing/price.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace obs {
namespace {

// $2.50, $10, cached $1.25, written $3.125, audio $40 and $80, cached audio $20, reasoning $12 a million
// tokens.
Price gpt() {
    return {.base = {.input = UsdPerToken{2'500'000},
                     .output = UsdPerToken{10'000'000},
                     .cached_input = UsdPerToken{1'250'000},
                     .cache_write = UsdPerToken{3'125'000},
                     .audio_input = UsdPerToken{40'000'000},
                     .cached_audio = UsdPerToken{20'000'000},
                     .reasoning = UsdPerToken{12'000'000},
                     .audio_output = UsdPerToken{80'000'000}},
            .tiers = {},
            .rule = "gpt"};
}

Price plain(std::int64_t input, std::int64_t output) {
    return {
        .base = {.input = UsdPerToken{input}, .output = UsdPerToken{output}}, .tiers = {}, .rule = "plain"};
}

Price tiered() {
    Price price = plain(1'000'000, 2'000'000);
    price.tiers = {{Tokens{200'000}, plain(3'000'000, 5'000'000).base},
                   {Tokens{500'000}, plain(7'000'000, 9'000'000).base}};
    return price;
}

Price with_fee() {
    Price price = plain(1'000'000, 1'000'000);
    price.request = UsdPerToken{5'000'000'000};  // $5 a thousand requests
    return price;
}

struct CostCase {
    std::string what;
    Price price;
    Usage usage;
    Usd input, output;
};
class CostOf : public testing::TestWithParam<CostCase> {};

TEST_P(CostOf, billsEveryTokenOnce) {
    const std::optional<Cost> cost = cost_of(GetParam().usage, GetParam().price);
    ASSERT_TRUE(cost);
    EXPECT_EQ(cost->input.nanos, GetParam().input.nanos);
    EXPECT_EQ(cost->output.nanos, GetParam().output.nanos);
    EXPECT_EQ(cost->total, cost->input + cost->output);
}

TEST_P(CostOf, isExplainedByTheLinesOfItsBill) {
    const auto& [what, price, usage, input, output] = GetParam();
    const std::optional<Bill> bill = bill_of(usage, price);
    ASSERT_TRUE(bill);
    EXPECT_EQ(bill->cost, *cost_of(usage, price));
    PicoUsd sum = bill->rounding;
    std::int64_t tokens = 0;
    for (const BillLine& line : bill->lines) {
        sum = sum + line.amount();
        if (line.part != "request") tokens += line.tokens.count;
    }
    EXPECT_EQ(sum, PicoUsd::of(bill->cost.total));
    EXPECT_LE(bill->rounding.count, 500);
    EXPECT_GE(bill->rounding.count, -500);
    if (usage.input && usage.output) {
        EXPECT_EQ(tokens, usage.input->count + usage.output->count) << "each token on one line";
    }
}

INSTANTIATE_TEST_SUITE_P(
    Usage, CostOf,
    testing::Values(
        CostCase{"no_tokens_cost_nothing", gpt(), {.input = Tokens{0}}, {0}, {0}},
        CostCase{"input_and_output_add_up",
                 gpt(),
                 {.input = Tokens{120}, .output = Tokens{30}},
                 {300'000},
                 {300'000}},
        CostCase{"cached_input_is_not_billed_twice",
                 gpt(),
                 {.input = Tokens{40'000}, .cached_input = Tokens{36'000}},
                 {55'000'000},
                 {0}},
        CostCase{"written_cache_has_its_own_rate",
                 gpt(),
                 {.input = Tokens{1000}, .cached_input = Tokens{100}, .cache_write = Tokens{200}},
                 {700 * 2500 + 100 * 1250 + 200 * 3125},
                 {0}},
        CostCase{"audio_leaves_the_text",
                 gpt(),
                 {.input = Tokens{100},
                  .output = Tokens{50},
                  .audio_input = Tokens{60},
                  .audio_output = Tokens{50}},
                 {40 * 2500 + 60 * 40'000},
                 {50 * 80'000}},
        CostCase{"cached_audio_is_neither_cached_text_nor_audio",
                 gpt(),
                 {.input = Tokens{100},
                  .cached_input = Tokens{50},
                  .audio_input = Tokens{60},
                  .cached_audio = Tokens{30}},
                 {30 * 20'000 + 20 * 1250 + 30 * 40'000 + 20 * 2500},
                 {0}},
        CostCase{"cached_audio_without_a_rate_is_cached_input",
                 Price{.base = {.input = UsdPerToken{4000},
                                .cached_input = UsdPerToken{1000},
                                .audio_input = UsdPerToken{9000}},
                       .tiers = {},
                       .rule = ""},
                 {.input = Tokens{100},
                  .cached_input = Tokens{50},
                  .audio_input = Tokens{60},
                  .cached_audio = Tokens{30}},
                 {50 * 1 + 30 * 9 + 20 * 4},
                 {0}},
        CostCase{"cached_input_without_a_rate_costs_as_input",
                 plain(2'000'000, 0),
                 {.input = Tokens{100}, .cached_input = Tokens{90}, .cache_write = Tokens{10}},
                 {100 * 2000},
                 {0}},
        CostCase{"reasoning_priced_apart",
                 gpt(),
                 {.input = Tokens{0}, .output = Tokens{100}, .reasoning = Tokens{40}},
                 {0},
                 {60 * 10'000 + 40 * 12'000}},
        CostCase{"reasoning_is_output_without_a_rate",
                 plain(0, 1'000'000),
                 {.output = Tokens{100}, .reasoning = Tokens{40}},
                 {0},
                 {100'000}},
        CostCase{"parts_beyond_the_whole_are_cut",
                 gpt(),
                 {.input = Tokens{100}, .cached_input = Tokens{80}, .audio_input = Tokens{100}},
                 {80 * 1250 + 20 * 40'000},
                 {0}},
        CostCase{"a_missing_whole_is_its_parts",
                 gpt(),
                 {.cached_input = Tokens{80}, .reasoning = Tokens{10}},
                 {80 * 1250},
                 {10 * 12'000}},
        CostCase{"an_embedding_has_no_output_rate",
                 Price{.base = {.input = UsdPerToken{20'000}}, .tiers = {}, .rule = ""},
                 {.input = Tokens{12}},
                 {240},
                 {0}},
        CostCase{"free_is_a_price", plain(0, 0), {.input = Tokens{1000}, .output = Tokens{1000}}, {0}, {0}},
        CostCase{"below_a_tier",
                 tiered(),
                 {.input = Tokens{200'000}, .output = Tokens{10}},
                 {200'000'000},
                 {20'000}},
        CostCase{"a_tier_is_for_the_whole_request",
                 tiered(),
                 {.input = Tokens{200'001}, .output = Tokens{10}},
                 {600'003'000},
                 {50'000}},
        CostCase{"the_highest_tier_wins",
                 tiered(),
                 {.input = Tokens{500'001}, .output = Tokens{10}},
                 {3'500'007'000},
                 {90'000}},
        CostCase{"a_fee_of_a_request_belongs_to_input",
                 with_fee(),
                 {.input = Tokens{10}, .output = Tokens{10}},
                 {5'010'000},
                 {10'000}},
        CostCase{"half_a_nano_rounds_to_even_down", plain(500, 0), {.input = Tokens{1}}, {0}, {0}},
        CostCase{"half_a_nano_rounds_to_even_up", plain(500, 0), {.input = Tokens{3}}, {2}, {0}},
        CostCase{"the_total_is_rounded_from_the_exact_sum",
                 plain(500, 500),
                 {.input = Tokens{1}, .output = Tokens{1}},
                 {0},
                 {1}},
        CostCase{"the_most_tokens_at_a_high_rate_do_not_overflow",
                 plain(1'000'000, 0),
                 {.input = Tokens{1LL << 40}},
                 {(1LL << 40) * 1000},
                 {0}}),
    [](const auto& test) { return test.param.what; });

TEST(CostOf, unknownUsageHasNoCost) {
    EXPECT_FALSE(cost_of({}, gpt()));
    EXPECT_FALSE(cost_of({}, with_fee()));
    EXPECT_FALSE(bill_of({}, gpt()));
}

TEST(BillOf, namesThePartsItTookOut) {
    const Usage usage{
        .input = Tokens{100}, .output = Tokens{50}, .cached_input = Tokens{40}, .reasoning = Tokens{20}};
    const std::optional<Bill> bill = bill_of(usage, gpt());
    ASSERT_TRUE(bill);
    std::string lines;
    for (const BillLine& line : bill->lines)
        lines += fmt::format("{} {} x {} = {}\n", line.part, line.tokens.count, line.rate.picos,
                             line.amount().dollars());
    EXPECT_EQ(lines,
              "cached_input 40 x 1250000 = 0.00005\n"
              "input 60 x 2500000 = 0.00015\n"
              "reasoning 20 x 12000000 = 0.00024\n"
              "output 30 x 10000000 = 0.0003\n");
}

struct DollarsCase {
    std::string what;
    std::int64_t picos;
    std::string text;
};
class PicoDollars : public testing::TestWithParam<DollarsCase> {};
TEST_P(PicoDollars, areNumbersOfJson) {
    EXPECT_EQ(PicoUsd{GetParam().picos}.dollars(), GetParam().text);
}
INSTANTIATE_TEST_SUITE_P(Amounts, PicoDollars,
                         testing::Values(DollarsCase{"nothing", 0, "0"},
                                         DollarsCase{"one", 1, "0.000000000001"},
                                         DollarsCase{"less_than_nothing", -250, "-0.00000000025"},
                                         DollarsCase{"a_dollar", 1'000'000'000'000, "1"},
                                         DollarsCase{"dollars_and_cents", 12'340'000'000'000, "12.34"},
                                         DollarsCase{"ten_dollars", 10'000'000'000'000, "10"}),
                         [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs
