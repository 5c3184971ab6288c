// Budgets and their alerts as clients write and read them.
#pragma once

#include <string>
#include <string_view>

#include "alert/http_post.h"
#include "alert/spend_board.h"
#include "alert/spending.h"
#include "base/json_writer.h"
#include "catalog/budgets.h"
#include "catalog/tokens.h"
#include "serve/api_error.h"

namespace obs::serve {

// `before` with what the body says: members that are absent stay, null takes an optional one back. What the
// catalog knows (whether project and key are there, whether the name is free) is not looked at.
ApiResult<Budget> budget_in(std::string_view body, Budget before, alert::Targets webhook_targets);

// Where a webhook goes is shown only to who may manage budgets: addresses often carry a key.
struct BudgetView {
    const alert::BudgetState* state = nullptr;  // null: it was not looked at yet
    bool shows_webhook = false;
    Secret new_secret{};  // shown this once
};
void write_budget(JsonWriter& json, const Budget& budget, const BudgetView& view);

void write_alert(JsonWriter& json, const RaisedAlert& alert);
void write_delivery(JsonWriter& json, const Delivery& delivery);
void write_period(JsonWriter& json, const Budget& budget, const alert::PeriodSpent& spent);
// Of the hard limit of a budget; `subject` is one of the values of a budget for each.
void write_limit(JsonWriter& json, const alert::BudgetState& state, std::string_view subject, bool exceeded);

}  // namespace obs::serve
