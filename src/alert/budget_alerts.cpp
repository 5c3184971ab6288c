#include "alert/budget_alerts.h"

#include "alert/alert_json.h"
#include "base/log.h"

namespace obs::alert {

std::vector<query::BudgetAlert> budget_alerts(const Budgets& budgets, const Scope& scope, UnixNanos from,
                                              UnixNanos to) {
    constexpr std::size_t most = 100;
    const auto kept = budgets.alerts(
        {.org = scope.org(), .projects = scope.projects(), .from = from, .to = to}, {.limit = most});
    std::vector<query::BudgetAlert> alerts;
    if (!kept) {
        log::warning("alerts of budgets are missing in an answer: {}", kept.error().message);
        return alerts;
    }
    for (const RaisedAlert& alert : kept->items)
        alerts.push_back({.id = alert.id,
                          .budget_id = alert.budget,
                          .severity = std::string(name_of(alert.severity)),
                          .current = alert.spent,
                          .threshold = alert.threshold,
                          .percentage_used = percentage_used(alert.spent, alert.amount),
                          .message = alert.message,
                          .triggered_at = alert.triggered,
                          .resolved_at = alert.resolved});
    return alerts;
}

}  // namespace obs::alert
