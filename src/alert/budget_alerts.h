// Alerts of budgets as answers about costs list them.
#pragma once

#include <vector>

#include "catalog/budgets.h"
#include "model/question.h"
#include "query/cost_signals.h"

namespace obs::alert {

// Newest first, at most 100: of budgets that the scope sees, triggered in the window or not resolved.
// Without a catalog that answers there are none.
std::vector<query::BudgetAlert> budget_alerts(const Budgets& budgets, const Scope& scope, UnixNanos from,
                                              UnixNanos to);

}  // namespace obs::alert
