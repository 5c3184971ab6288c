#include "alert/budget_period.h"

#include <algorithm>
#include <chrono>

namespace obs::alert {

namespace {

constexpr std::int64_t minute = Nanos::seconds(60).count;

std::int64_t first_of_month(std::int64_t day, unsigned months) {
    using namespace std::chrono;
    const year_month_day date{sys_days{days{day}}};
    const unsigned month_of_year = static_cast<unsigned>(date.month()) - 1;
    const year_month_day first{date.year(), month{month_of_year - month_of_year % months + 1},
                               std::chrono::day{1}};
    return sys_days{first}.time_since_epoch().count();
}

std::int64_t months_later(std::int64_t first, unsigned count) {
    using namespace std::chrono;
    const year_month_day date{sys_days{days{first}}};
    return sys_days{date + months{count}}.time_since_epoch().count();
}

unsigned months_of(BudgetPeriod period) {
    switch (period) {
        case BudgetPeriod::quarterly: return 3;
        case BudgetPeriod::yearly: return 12;
        default: return 1;
    }
}

// Days of the calendar.
struct Days {
    std::int64_t from, to;
};

Days days_at(BudgetPeriod period, std::int64_t day) {
    switch (period) {
        case BudgetPeriod::daily: return {day, day + 1};
        case BudgetPeriod::weekly: return {query::monday_of(day), query::monday_of(day) + 7};
        default: break;
    }
    const unsigned months = months_of(period);
    const std::int64_t first = first_of_month(day, months);
    return {first, months_later(first, months)};
}

Period rolling_at(const Budget& budget, UnixNanos now) {
    const UnixNanos end{(now.since_epoch / minute + 1) * minute};
    return {end - Nanos::days(budget.rolling_days), end};
}

}  // namespace

Period period_at(const Budget& budget, const query::Calendar& calendar, UnixNanos now) {
    if (budget.period == BudgetPeriod::rolling) return rolling_at(budget, now);
    const Days days = days_at(budget.period, calendar.day(now));
    return {calendar.start_of(days.from), calendar.start_of(days.to)};
}

std::vector<Period> periods_until(const Budget& budget, const query::Calendar& calendar, UnixNanos now,
                                  std::size_t count) {
    std::vector<Period> periods;
    for (Period period = period_at(budget, calendar, now); periods.size() < count;) {
        periods.push_back(period);
        if (budget.period == BudgetPeriod::rolling)
            period = {period.from - Nanos::days(budget.rolling_days), period.from};
        else
            period = period_at(budget, calendar, period.from - Nanos{1});
    }
    std::ranges::reverse(periods);
    return periods;
}

}  // namespace obs::alert
