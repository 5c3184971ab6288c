#include "catalog/prices.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "catalog/known_prices.h"
#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};

SetPrice price(std::string_view model, std::string_view rate, std::string_view project = "",
               std::string_view valid_from = "") {
    SetPrice made{.org = "default", .project = std::string(project), .set_by = "ann", .set = now};
    made.model = model;
    made.valid_from = valid_from;
    const std::string since = valid_from.empty() ? "" : fmt::format(",\"valid_from\":\"{}\"", valid_from);
    made.entry = fmt::format(R"({{"model":"{}","input":{}{}}})", model, rate, since);
    return made;
}

class PricesTest : public testing::TestWithParam<Backend> {
protected:
    std::string rule(std::string_view model, std::string_view project = "default") {
        EXPECT_TRUE(known->refresh());
        const PriceBoard::Table table = board.prices_of("default", project);
        const Price* found = table->find("acme", model, now);
        return found == nullptr ? "" : found->rule;
    }

    CatalogBed bed{GetParam()};
    Catalog catalog = bed.open();
    Prices prices{catalog};
    PriceBoard board{PriceTable::load().value()};
    const std::unique_ptr<KnownPrices> known = KnownPrices::load(catalog, board).value();
};
INSTANTIATE_TEST_SUITE_P(Backends, PricesTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(PricesTest, areKeptAsTheyWereSet) {
    const SetPrice made = prices.set(price("house-1", "1.50", "shop", "2026-01-01")).value();
    EXPECT_EQ(made.revision, 1);
    EXPECT_EQ(prices.find("default", made.id).value(), made);
    EXPECT_FALSE(prices.find("other", made.id).value());
    EXPECT_EQ(prices.of("default", {}, false).value(), (std::vector{made}));
    EXPECT_EQ(prices.of("default", {"shop"}, false).value().size(), 1u);
    EXPECT_TRUE(prices.of("default", {"lab"}, false).value().empty());
    EXPECT_TRUE(prices.of("other", {}, true).value().empty());
}

TEST_P(PricesTest, takeThePlaceOfTheSame) {
    const SetPrice first = prices.set(price("house-1", "1")).value();
    const SetPrice later = prices.set(price("house-1", "1", "", "2026-01-01")).value();
    const SetPrice second = prices.set(price("house-1", "2")).value();
    EXPECT_EQ(prices.of("default", {}, false).value(), (std::vector{second, later}));
    const auto all = prices.of("default", {}, true).value();
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all.back().id, first.id);
    EXPECT_EQ(all.back().retired, now);
    EXPECT_EQ(all.back().retired_by, "ann");
}

TEST_P(PricesTest, areTakenBackOnceAndStillExplain) {
    const SetPrice made = prices.set(price("house-1", "1")).value();
    EXPECT_EQ(rule("house-1"), "set/1:*/house-1");
    EXPECT_FALSE(prices.retire("other", made.id, "bob", now).value());
    EXPECT_TRUE(prices.retire("default", made.id, "bob", now).value());
    EXPECT_FALSE(prices.retire("default", made.id, "bob", now).value());
    EXPECT_EQ(rule("house-1"), "");
    EXPECT_EQ(board.with_rule("set/1:*/house-1").size(), 1u);
}

TEST_P(PricesTest, areAskedFromTheOneThatSaysMost) {
    ASSERT_TRUE(prices.set(price("*", "1")));
    ASSERT_TRUE(prices.set(price("house-*", "2")));
    ASSERT_TRUE(prices.set(price("house-1", "3")));
    ASSERT_TRUE(prices.set(price("house-*", "4", "shop")));
    EXPECT_EQ(rule("house-1"), "set/3:*/house-1");
    EXPECT_EQ(rule("house-2"), "set/2:*/house-*");
    EXPECT_EQ(rule("other"), "set/1:*/*");
    EXPECT_EQ(rule("house-1", "shop"), "set/4:*/house-*");
    EXPECT_EQ(rule("other", "shop"), "set/1:*/*");
}

TEST_P(PricesTest, areBoundedForAnOrganisation) {
    std::string rows;
    for (std::int64_t i = 1; i <= Prices::most_of_an_org; ++i)
        rows += fmt::format("{}({}, 'p{}', 'default', '', '', 'm{}', '', '', '', '', 0, '')",
                            rows.empty() ? "" : ", ", i, i, i);
    bed.run_sql(
        "INSERT INTO prices (revision, id, org, project, provider, model, service, valid_from, "
        "entry, set_by, set_at, retired_by) VALUES " +
        rows);
    const auto one_more = prices.set(price("house-1", "1"));
    ASSERT_FALSE(one_more);
    EXPECT_EQ(one_more.error().kind, ErrorKind::overloaded);
    EXPECT_TRUE(prices.set(price("m7", "1"))) << "in the place of one that is there";
}

TEST_P(PricesTest, areTakenOverFromAnotherProcess) {
    known->keep_fresh();
    Catalog other = bed.open(Migrations::refuse);
    ASSERT_TRUE(Prices(other).set(price("house-1", "1")));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (board.prices_of("default", "default")->find("acme", "house-1", now) == nullptr &&
           std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_NE(board.prices_of("default", "default")->find("acme", "house-1", now), nullptr);
}

}  // namespace
}  // namespace obs
