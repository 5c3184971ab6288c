// What is told of a budget's alert, to sockets and to webhooks alike.
#pragma once

#include <optional>
#include <string>

#include "catalog/budgets.h"

namespace obs::alert {

enum class AlertNews { raised, resolved };

// `budget.alert`, `budget.resolved`
std::string event_name(AlertNews news);

// One JSON object: threshold_value, current_value, period, org_id, timestamp (contract 1.13) and what the API
// says of an alert.
std::string alert_json(const RaisedAlert& alert, const Budget& budget, AlertNews news, UnixNanos now);

// 100 when all of the amount is spent.
double percentage_used(Usd spent, Usd amount);

// For people: `$8.10`.
std::string dollars(Usd amount);

// One line for people.
std::string alert_message(const RaisedAlert& alert, const Budget& budget);

}  // namespace obs::alert
