#include "query/figures.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "query/figures_calendar.h"
#include "query/forecast.h"

namespace obs::query {
namespace {

using testing::ElementsAre;
using enum RollupLevel;

constexpr UnixNanos noon{1'767'960'000'000'000'000};  // 2026-01-09T12:00:00Z
constexpr UnixNanos at(std::int64_t minutes, std::int64_t seconds = 0) {
    return noon + Nanos::seconds(minutes * 60 + seconds);
}

class Currency : public RollupCurrency {
public:
    std::optional<std::vector<UnixNanos>> outdated(RollupLevel level, UnixNanos, UnixNanos) const override {
        if (!known) return std::nullopt;
        const auto found = bad.find(level);
        return found == bad.end() ? std::vector<UnixNanos>() : found->second;
    }
    UnixNanos kept_from(RollupLevel level, UnixNanos) const override {
        return level == minute ? minutes_from : UnixNanos{0};
    }

    bool known = true;
    std::map<RollupLevel, std::vector<UnixNanos>> bad;
    UnixNanos minutes_from{0};
};

class Planned : public testing::Test {
protected:
    std::vector<FigurePiece> plan(UnixNanos from, UnixNanos to, std::vector<UnixNanos> edges = {}) {
        constexpr RollupLevel levels[] = {hour, minute};
        return plan_pieces(from, to, edges, levels, currency, at(1000));
    }
    Currency currency;
};

TEST_F(Planned, hoursInTheMiddleMinutesAroundThemAndSpansAtTheEnds) {
    EXPECT_THAT(plan(at(-62, -20), at(121, 30)),
                ElementsAre(FigurePiece{at(-62, -20), at(-62), {}}, FigurePiece{at(-62), at(-60), minute},
                            FigurePiece{at(-60), at(120), hour}, FigurePiece{at(120), at(121), minute},
                            FigurePiece{at(121), at(121, 30), {}}));
}

TEST_F(Planned, anOutdatedHourIsReadByItsMinutesAndAnOutdatedMinuteFromSpans) {
    currency.bad = {{hour, {at(60)}}, {minute, {at(75), at(76)}}};
    EXPECT_THAT(plan(at(0), at(180)),
                ElementsAre(FigurePiece{at(0), at(60), hour}, FigurePiece{at(60), at(75), minute},
                            FigurePiece{at(75), at(77), {}}, FigurePiece{at(77), at(120), minute},
                            FigurePiece{at(120), at(180), hour}));
}

TEST_F(Planned, nothingIsReadFromRollupsWhileNobodyKnowsWhichAreRight) {
    currency.known = false;
    EXPECT_THAT(plan(at(0), at(180)), ElementsAre(FigurePiece{at(0), at(180), {}}));
}

TEST_F(Planned, minutesThatAreNotKeptAreReadFromSpans) {
    currency.minutes_from = at(61);
    EXPECT_THAT(plan(at(-10), at(70)),
                ElementsAre(FigurePiece{at(-10), at(0), {}}, FigurePiece{at(0), at(60), hour},
                            FigurePiece{at(60), at(61), {}}, FigurePiece{at(61), at(70), minute}));
}

TEST_F(Planned, noHourLiesAcrossAnEdge) {
    EXPECT_THAT(plan(at(0), at(120), {at(0), at(30), at(60), at(90), at(120)}),
                ElementsAre(FigurePiece{at(0), at(120), minute}));
    EXPECT_THAT(plan(at(0), at(180), {at(-30), at(90), at(210)}),
                ElementsAre(FigurePiece{at(0), at(60), hour}, FigurePiece{at(60), at(120), minute},
                            FigurePiece{at(120), at(180), hour}));
}

TEST_F(Planned, aThousandHolesBecomeOne) {
    std::vector<UnixNanos> holes;
    for (int i = 0; i < 1000; ++i) holes.push_back(at(2 * i));
    currency.bad = {{minute, holes}};
    for (int i = 0; i < 40; ++i) currency.bad[hour].push_back(at(60 * i));
    const auto pieces = plan(at(0), at(2000));
    EXPECT_LT(pieces.size(), 130U);
    for (std::size_t i = 1; i < pieces.size(); ++i) EXPECT_EQ(pieces[i - 1].to, pieces[i].from);
    EXPECT_EQ(pieces.front().from, at(0));
    EXPECT_EQ(pieces.back().to, at(2000));
}

// ---- time buckets

std::string dates(const std::vector<UnixNanos>& edges) {
    std::string text;
    for (const UnixNanos edge : edges) text += (text.empty() ? "" : " ") + rfc3339(edge);
    return text;
}

TEST(BucketEdges, coverTheWindowOnTheClock) {
    const auto edges = bucket_edges(at(61), at(121), Nanos::hours(1), Calendar(), 10);
    ASSERT_TRUE(edges);
    EXPECT_EQ(dates(*edges), "2026-01-09T13:00:00Z 2026-01-09T14:00:00Z 2026-01-09T15:00:00Z");
}

TEST(BucketEdges, daysBeginWhereTheyBeginInTheirZoneAlsoWhenClocksChange) {
    const auto edges =
        bucket_edges(*parse_rfc3339("2026-03-28T12:00:00Z"), *parse_rfc3339("2026-03-30T12:00:00Z"),
                     Nanos::days(1), *Calendar::of("Europe/Berlin"), 10);
    ASSERT_TRUE(edges);
    EXPECT_EQ(dates(*edges),
              "2026-03-27T23:00:00Z 2026-03-28T23:00:00Z 2026-03-29T22:00:00Z 2026-03-30T22:00:00Z");
}

TEST(BucketEdges, weeksBeginOnMondays) {
    const auto edges = bucket_edges(at(0), at(10), Nanos::days(7), Calendar(), 10);
    ASSERT_TRUE(edges);
    EXPECT_EQ(dates(*edges), "2026-01-05T00:00:00Z 2026-01-12T00:00:00Z");
}

TEST(BucketEdges, tooManyAreRefused) {
    EXPECT_FALSE(bucket_edges(at(0), at(100), Nanos::seconds(1), Calendar(), 100));
}

TEST(CalendarZones, halfHoursAndUnknownOnes) {
    const auto kolkata = Calendar::of("Asia/Kolkata");
    ASSERT_TRUE(kolkata);
    EXPECT_EQ(rfc3339(kolkata->start_of_day(noon)), "2026-01-08T18:30:00Z");
    EXPECT_EQ(kolkata->date(noon + Nanos::hours(7)), "2026-01-10");
    EXPECT_FALSE(Calendar::of("Europe/Atlantis"));
    EXPECT_FALSE(Calendar::of("'; DROP TABLE spans"));
    EXPECT_EQ(Calendar::of("")->zone(), "UTC");
}

// ---- forecast

TEST(Forecast, goesOnAlongTheLineAndNeverBelowZero) {
    const std::vector<double> falling{5, 4, 3, 2, 1};
    const Forecast ahead = forecast(falling, 3);
    EXPECT_NEAR(ahead.days[0].cost, 0, 1e-12);
    EXPECT_EQ(ahead.days[2].cost, 0);
    EXPECT_EQ(ahead.days[2].low, 0);
    EXPECT_NEAR(*ahead.r_squared, 1, 1e-12);
}

TEST(Forecast, knowsHowFarTheDaysLieFromTheLine) {
    const std::vector<double> past{1, 3, 1, 3};
    const Forecast ahead = forecast(past, 1);
    // 2 + 0.4 (x - 1.5): residuals -0.4 1.2 -1.2 0.4, squares 3.2, two degrees of freedom.
    EXPECT_NEAR(ahead.days[0].cost, 3, 1e-12);
    EXPECT_NEAR(ahead.days[0].high - ahead.days[0].cost, 1.96 * std::sqrt(1.6), 1e-12);
    EXPECT_NEAR(*ahead.r_squared, 0.2, 1e-12);
    EXPECT_NEAR(*ahead.mape, 100 * (0.4 + 0.4 + 1.2 + 0.4 / 3) / 4, 1e-9);
}

TEST(Dimensions, haveShortNamesAndAttributes) {
    EXPECT_EQ(dimension_from("user")->field.column->name, "user_id");
    EXPECT_EQ(dimension_from("team")->field.key, "team.id");
    EXPECT_EQ(dimension_from("attributes.tier")->field.key, "tier");
    EXPECT_FALSE(dimension_from("attributes"));
    EXPECT_FALSE(dimension_from("input_text"));
    EXPECT_FALSE(dimension_from("nothing"));
}

}  // namespace
}  // namespace obs::query
