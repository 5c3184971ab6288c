// What is spent of budgets, found out with as few questions as there are kinds of them: hundreds of monthly
// budgets of users are one question.
#pragma once

#include <span>
#include <vector>

#include "alert/spend_board.h"
#include "base/result.h"
#include "query/figures.h"
#include "query/figures_calendar.h"

namespace obs::alert {

struct WatchedBudget {
    Budget budget;
    query::Calendar calendar{};  // of its project
};

// In the order of the budgets. Unpriced calls cost nothing. Errors are those of the store.
Result<std::vector<BudgetState>> spending(const query::Figures& figures,
                                          std::span<const WatchedBudget> budgets, UnixNanos now,
                                          const Cancel& cancel);

// Of one budget, period by period; `periods` are ascending, without gaps. Nothing was known of a period whose
// calls are no longer kept: it counts as 0.
struct PeriodSpent {
    Period period;
    Usd spent;
    std::int64_t calls = 0;
    // Of budgets for each value: who spent most, at most ten.
    std::vector<std::pair<std::string, Usd>> subjects{};
};
Result<std::vector<PeriodSpent>> spent_by_period(const query::Figures& figures, const Budget& budget,
                                                 const std::vector<Period>& periods, UnixNanos now,
                                                 const Cancel& cancel);

}  // namespace obs::alert
