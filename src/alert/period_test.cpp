#include <string>

#include <gtest/gtest.h>

#include "alert/budget_period.h"

namespace obs::alert {
namespace {

struct PeriodCase {
    std::string what;
    BudgetPeriod period;
    std::string zone, now, from, to;
};
class BudgetPeriods : public testing::TestWithParam<PeriodCase> {};

TEST_P(BudgetPeriods, followTheCalendarOfTheProject) {
    const PeriodCase& test = GetParam();
    const auto calendar = query::Calendar::of(test.zone);
    ASSERT_TRUE(calendar);
    const Budget budget{.period = test.period, .rolling_days = 7};
    const Period period = period_at(budget, *calendar, *parse_rfc3339(test.now));
    EXPECT_EQ(rfc3339(period.from), test.from);
    EXPECT_EQ(rfc3339(period.to), test.to);
}
INSTANTIATE_TEST_SUITE_P(
    Days, BudgetPeriods,
    testing::Values(PeriodCase{"a_day", BudgetPeriod::daily, "UTC", "2026-01-09T23:59:59Z",
                               "2026-01-09T00:00:00Z", "2026-01-10T00:00:00Z"},
                    PeriodCase{"a_day_elsewhere", BudgetPeriod::daily, "Asia/Kathmandu",
                               "2026-01-09T23:59:59Z", "2026-01-09T18:15:00Z", "2026-01-10T18:15:00Z"},
                    PeriodCase{"a_day_of_23_hours", BudgetPeriod::daily, "Europe/Berlin",
                               "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
                    PeriodCase{"a_week_from_monday", BudgetPeriod::weekly, "UTC", "2026-01-11T12:00:00Z",
                               "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"},
                    PeriodCase{"a_week_over_new_year", BudgetPeriod::weekly, "UTC", "2026-01-01T00:00:00Z",
                               "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z"},
                    PeriodCase{"a_month", BudgetPeriod::monthly, "UTC", "2024-02-29T12:00:00Z",
                               "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
                    PeriodCase{"december", BudgetPeriod::monthly, "America/New_York", "2026-01-01T04:59:59Z",
                               "2025-12-01T05:00:00Z", "2026-01-01T05:00:00Z"},
                    PeriodCase{"a_quarter", BudgetPeriod::quarterly, "UTC", "2026-05-17T00:00:00Z",
                               "2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"},
                    PeriodCase{"the_last_quarter", BudgetPeriod::quarterly, "UTC", "2026-12-31T23:59:59Z",
                               "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"},
                    PeriodCase{"a_year", BudgetPeriod::yearly, "UTC", "2026-12-31T23:59:59Z",
                               "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
                    PeriodCase{"a_rolling_window", BudgetPeriod::rolling, "Europe/Berlin",
                               "2026-01-09T12:00:30Z", "2026-01-02T12:01:00Z", "2026-01-09T12:01:00Z"}),
    [](const auto& test) { return test.param.what; });

TEST(BudgetPeriods, ofThePastFollowEachOther) {
    for (const BudgetPeriod kind : {BudgetPeriod::daily, BudgetPeriod::weekly, BudgetPeriod::monthly,
                                    BudgetPeriod::quarterly, BudgetPeriod::yearly, BudgetPeriod::rolling}) {
        const Budget budget{.period = kind, .rolling_days = 30};
        const auto calendar = query::Calendar::of("Europe/Berlin");
        const UnixNanos now = *parse_rfc3339("2026-03-29T12:00:00Z");
        const std::vector<Period> periods = periods_until(budget, *calendar, now, 5);
        ASSERT_EQ(periods.size(), 5U);
        for (std::size_t at = 1; at < periods.size(); ++at)
            EXPECT_EQ(periods[at - 1].to, periods[at].from) << name_of(kind);
        EXPECT_EQ(periods.back(), period_at(budget, *calendar, now));
    }
}

}  // namespace
}  // namespace obs::alert
