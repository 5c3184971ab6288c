// Budgets, what was spent of them, their alerts, what webhooks were told, and hard limits to poll.
#pragma once

#include <vector>

#include "alert/budget_watch.h"
#include "alert/http_post.h"
#include "alert/spend_board.h"
#include "catalog/catalog.h"
#include "serve/analytics_request.h"
#include "serve/router.h"

namespace obs::serve {

// All outlive the routes.
struct BudgetParts {
    Catalog& catalog;
    const alert::SpendBoard& board;
    alert::BudgetWatch& watch;
    alert::Targets webhook_targets = alert::Targets::public_only;
};

std::vector<Route> budget_routes(const BudgetParts& parts, const AnalyticsParts& analytics);

}  // namespace obs::serve
