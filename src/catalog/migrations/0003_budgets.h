// Budgets, the alerts they raised, and what was sent of them to others. Frozen.
// Money is nano-dollars, a percentage its billionths; times are nanoseconds since 1970.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 7> catalog_step_3{
    // An empty `project` is the whole organisation; an empty `value` each value of the scope for itself.
    "CREATE TABLE budgets (id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES organisations (id), "
    "name TEXT NOT NULL, project TEXT NOT NULL, scope TEXT NOT NULL, value TEXT NOT NULL, "
    "amount BIGINT NOT NULL, period TEXT NOT NULL, rolling_days BIGINT NOT NULL, threshold_type TEXT NOT "
    "NULL, warning BIGINT NOT NULL, critical BIGINT NOT NULL, hard_limit BIGINT, refuses BIGINT NOT NULL, "
    "webhook TEXT NOT NULL, webhook_secret TEXT NOT NULL, active BIGINT NOT NULL, created BIGINT NOT NULL, "
    "updated BIGINT NOT NULL, UNIQUE (org, name))",

    // One row for what happened once, whoever noticed it first.
    "CREATE TABLE budget_alerts (id TEXT PRIMARY KEY, budget TEXT NOT NULL REFERENCES budgets (id) ON DELETE "
    "CASCADE, org TEXT NOT NULL, subject TEXT NOT NULL, severity TEXT NOT NULL, period_from BIGINT NOT NULL, "
    "period_to BIGINT NOT NULL, threshold BIGINT NOT NULL, spent BIGINT NOT NULL, amount BIGINT NOT NULL, "
    "message TEXT NOT NULL, triggered BIGINT NOT NULL, resolved BIGINT, source TEXT NOT NULL, "
    "UNIQUE (budget, subject, severity, period_from, threshold))",
    "CREATE INDEX budget_alerts_by_org ON budget_alerts (org, triggered)",
    "CREATE INDEX budget_alerts_open ON budget_alerts (budget) WHERE resolved IS NULL",

    // `due`: when it is to be tried next; whoever tries moves it ahead, so that nobody else does.
    "CREATE TABLE webhook_deliveries (id TEXT PRIMARY KEY, budget TEXT NOT NULL REFERENCES budgets (id) ON "
    "DELETE CASCADE, alert TEXT NOT NULL, event TEXT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL, "
    "state TEXT NOT NULL, attempts BIGINT NOT NULL, due BIGINT NOT NULL, status BIGINT, error TEXT NOT NULL, "
    "created BIGINT NOT NULL, finished BIGINT)",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due) WHERE finished IS NULL",
    "CREATE INDEX webhook_deliveries_by_budget ON webhook_deliveries (budget, created)",
};

}  // namespace obs
