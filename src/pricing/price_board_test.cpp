#include "pricing/price_board.h"

#include <gtest/gtest.h>

namespace obs {
namespace {

constexpr UnixNanos at{1'800'000'000'000'000'000};

UserPrices prices(std::string_view entries, std::string_view name = "set/1") {
    return UserPrices::parse(fmt::format("{{\"prices\":[{}]}}", entries), name).value();
}
std::string rule(const PriceBoard& board, std::string_view org, std::string_view project,
                 std::string_view model = "house-1") {
    const Price* price = board.prices_of(org, project)->find("acme", model, at);
    return price == nullptr ? "" : price->rule;
}

TEST(PriceBoard, hasTheBaseUntilSomethingIsSet) {
    const PriceBoard board(PriceTable::load().value());
    EXPECT_EQ(rule(board, "a", "p"), "");
    EXPECT_NE(board.prices_of("a", "p")->find("openai", "gpt-4o", at), nullptr);
}

TEST(PriceBoard, keepsOrganisationsAndProjectsApart) {
    PriceBoard board(PriceTable::load().value());
    const UserPrices org = prices(R"({"model":"house-*","input":1})");
    UserPrices project = prices(R"({"model":"house-1","input":2})", "set/2");
    project.append(org);
    UserPrices ever = project;
    ever.append(prices(R"({"model":"gone","input":3})", "set/0"));
    board.set({{"a", "", org}, {"a", "p", project}}, ever);
    EXPECT_EQ(rule(board, "a", "q"), "set/1:*/house-*");
    EXPECT_EQ(rule(board, "a", "p"), "set/2:*/house-1");
    EXPECT_EQ(rule(board, "a", "p", "house-2"), "set/1:*/house-*");
    EXPECT_EQ(rule(board, "b", "p"), "");
    EXPECT_EQ(board.with_rule("set/0:*/gone").size(), 1u) << "what holds no more is still explained";
    EXPECT_EQ(rule(board, "a", "q", "gone"), "");

    const PriceBoard::Table before = board.prices_of("a", "q");
    board.set({}, {});
    EXPECT_EQ(rule(board, "a", "q"), "");
    EXPECT_NE(before->find("acme", "house-1", at), nullptr) << "who took a table keeps it";
}

TEST(PriceBoard, putsWhatIsSetBeforeFileAndCatalogue) {
    PriceBoard board(
        PriceTable::with_user_prices("prices: [{model: gpt-4o, input: 7}]", "file.yaml").value());
    board.set({{"a", "", prices(R"({"model":"gpt-4o","valid_from":"2026-01-01","valid_until":"2026-02-01",
                                    "input":9})")}},
              {});
    const auto input = [&](std::string_view day) {
        return board.prices_of("a", "")->find("openai", "gpt-4o", *parse_rfc3339(day))->base.input->picos;
    };
    EXPECT_EQ(input("2025-12-31"), 7'000'000);
    EXPECT_EQ(input("2026-01-01"), 9'000'000);
    EXPECT_EQ(input("2026-01-31"), 9'000'000);
    EXPECT_EQ(input("2026-02-01"), 7'000'000);
}

}  // namespace
}  // namespace obs
