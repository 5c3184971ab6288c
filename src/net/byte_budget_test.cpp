#include "base/byte_budget.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace obs {
namespace {

using Use = ByteBudget::Use;

TEST(ByteBudget, gives_back_what_a_token_held) {
    ByteBudget budget({.limit = 1000});
    {
        std::optional<ByteBudget::Token> token = budget.acquire(400, Use::queue);
        ASSERT_TRUE(token.has_value());
        ByteBudget::Token elsewhere = std::move(*token);
        EXPECT_TRUE(elsewhere.grow_to(600));
        EXPECT_EQ(budget.used(), 600U);
    }
    EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudget, refuses_above_the_limit_and_changes_nothing) {
    ByteBudget budget({.limit = 1000});
    std::optional<ByteBudget::Token> token = budget.acquire(700, Use::queue);
    ASSERT_TRUE(token.has_value());
    EXPECT_FALSE(budget.acquire(301, Use::queue).has_value());
    EXPECT_FALSE(token->grow_to(1001));
    EXPECT_EQ(budget.used(), 700U);
    EXPECT_TRUE(token->grow_to(1000));
}

TEST(ByteBudget, is_under_pressure_from_three_quarters_on) {
    ByteBudget budget({.limit = 1000});
    std::optional<ByteBudget::Token> token = budget.acquire(749, Use::queue);
    EXPECT_FALSE(budget.under_pressure());
    ASSERT_TRUE(token->grow_to(750));
    EXPECT_TRUE(budget.under_pressure());
    token->release();
    EXPECT_FALSE(budget.under_pressure());
}

TEST(ByteBudget, lets_few_bodies_be_large_at_once) {
    ByteBudget budget({.limit = 1000, .large_body = 100, .large_bodies_at_once = 2});
    std::optional<ByteBudget::Token> first = budget.acquire(101, Use::body),
                                     second = budget.acquire(101, Use::body);
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(budget.acquire(101, Use::body).has_value());
    EXPECT_TRUE(budget.acquire(100, Use::body).has_value()) << "not large";
    EXPECT_TRUE(budget.acquire(101, Use::queue).has_value()) << "not a body";
    EXPECT_TRUE(first->grow_to(200)) << "large already";
    first.reset();
    EXPECT_TRUE(budget.acquire(101, Use::body).has_value());
}

TEST(ByteBudget, keeps_count_across_threads) {
    ByteBudget budget({.limit = 1000});
    std::vector<std::jthread> threads;
    for (int n = 0; n < 4; ++n)
        threads.emplace_back([&] {
            for (int round = 0; round < 10'000; ++round) {
                const auto token = budget.acquire(300, Use::queue);
                EXPECT_LE(budget.used(), budget.limit());
            }
        });
    threads.clear();
    EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudgetToken, without_a_budget_has_room_for_everything) {
    ByteBudget::Token token;
    EXPECT_TRUE(token.grow_to(std::size_t{1} << 40));
}

}  // namespace
}  // namespace obs
