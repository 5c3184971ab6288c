#include "alert/alert_json.h"

#include <string_view>

#include <fmt/format.h>

#include "base/json_writer.h"

namespace obs::alert {

std::string event_name(AlertNews news) {
    return news == AlertNews::raised ? "budget.alert" : "budget.resolved";
}

double percentage_used(Usd spent, Usd amount) {
    return amount.nanos == 0 ? 0 : 100 * static_cast<double>(spent.nanos) / static_cast<double>(amount.nanos);
}

std::string dollars(Usd amount) {
    // Cents say nothing of small sums.
    if (amount.nanos != 0 && amount.nanos < 1'000'000'000) {
        std::string text = "$";
        append_json_usd(text, amount);
        return text;
    }
    return fmt::format("${:.2f}", static_cast<double>(amount.nanos) / 1e9);
}

std::string alert_message(const RaisedAlert& alert, const Budget& budget) {
    const std::string of = alert.subject.empty() || !budget.each()
                               ? std::string()
                               : fmt::format(", {} {}", name_of(budget.scope), alert.subject);
    return fmt::format("budget {}{}: {} of {} spent ({:.1f} %), the {} threshold is {}", budget.name, of,
                       dollars(alert.spent), dollars(alert.amount),
                       percentage_used(alert.spent, alert.amount), name_of(alert.severity),
                       dollars(alert.threshold));
}

std::string alert_json(const RaisedAlert& alert, const Budget& budget, AlertNews news, UnixNanos now) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().field("type", event_name(news)).field("id", alert.id);
    json.field("budget_id", alert.budget).field("budget_name", budget.name).field("org_id", alert.org);
    if (!budget.project.empty()) json.field("project_id", budget.project);
    json.field("scope", name_of(budget.scope));
    if (!alert.subject.empty()) json.field("scope_value", alert.subject);
    json.field("severity", name_of(alert.severity)).field("threshold_value", alert.threshold);
    json.field("current_value", alert.spent).field("current_cost", alert.spent);
    json.field("amount", alert.amount);
    json.field("percentage_used", percentage_used(alert.spent, alert.amount));
    json.field("period", name_of(budget.period));
    json.field("period_start", rfc3339(alert.from)).field("period_end", rfc3339(alert.to));
    json.field("message", alert.message).field("triggered_at", rfc3339(alert.triggered));
    if (news == AlertNews::resolved) json.field("resolved_at", rfc3339(now));
    json.field("timestamp", rfc3339(now)).end_object();
    return text;
}

}  // namespace obs::alert
