// The stretches of time that a budget counts in (decision 29).
#pragma once

#include <cstddef>
#include <vector>

#include "base/time.h"
#include "catalog/budgets.h"
#include "query/figures_calendar.h"

namespace obs::alert {

struct Period {
    UnixNanos from, to;  // `to` is the first moment behind it
    auto operator<=>(const Period&) const = default;
};

// The one that `now` lies in: a day, week (from Monday), month, quarter or year of the calendar. A rolling
// window ends with the current minute.
Period period_at(const Budget& budget, const query::Calendar& calendar, UnixNanos now);

// The last `count` of them, oldest first; the one of `now` comes last. Rolling windows follow each other
// without gaps.
std::vector<Period> periods_until(const Budget& budget, const query::Calendar& calendar, UnixNanos now,
                                  std::size_t count);

}  // namespace obs::alert
