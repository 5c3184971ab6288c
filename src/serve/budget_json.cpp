#include "serve/budget_json.h"

#include <algorithm>
#include <optional>

#include "alert/alert_json.h"
#include "serve/json_body.h"

namespace obs::serve {

namespace {

constexpr std::size_t longest_name = 100, longest_value = 256, longest_url = 2048, most_subjects = 10;
constexpr double most_dollars = 1e9, most_percent = 10'000;
constexpr std::int64_t longest_window = 366;
constexpr std::size_t shortest_secret = 16;

constexpr std::string_view members =
    "name project_id scope scope_value amount period rolling_days threshold_type warning_threshold "
    "critical_threshold hard_limit on_hard_limit webhook_url webhook_secret is_active";

// Nano-dollars, or billionths of a percent.
ApiResult<std::optional<std::int64_t>> billionths(const JsonBody& body, std::string_view name, double most) {
    const std::optional<double> given = OBS_ANSWER(body.optional_number(name, 0, most));
    if (!given) return std::optional<std::int64_t>();
    const std::optional<Usd> value = usd_from_dollars(*given);
    if (!value || value->nanos <= 0)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} is a number above 0", name);
    return std::optional(value->nanos);
}

template <class Word>
ApiResult<std::optional<Word>> word(const JsonBody& body, std::string_view name, std::string_view words,
                                    std::optional<Word> (*from)(std::string_view)) {
    const auto given = OBS_ANSWER(body.optional_text(name, longest_name));
    if (!given) return std::optional<Word>();
    const std::optional<Word> known = from(*given);
    if (!known)
        return refuse(ErrorCode::invalid_field_value, std::string(name), "{} is one of: {}", name, words);
    return known;
}

std::optional<bool> is_percentage(std::string_view text) {
    if (text == "percentage") return true;
    if (text == "absolute") return false;
    return std::nullopt;
}

std::optional<bool> is_refusal(std::string_view text) {
    if (text == "refuse") return true;
    if (text == "flag") return false;
    return std::nullopt;
}

ApiResult<void> read_scope(const JsonBody& body, Budget& budget) {
    if (const auto scope = OBS_ANSWER(
            word(body, "scope", "organisation, project, user, model, tag, key", budget_scope_from)))
        budget.scope = *scope;
    if (const auto project = OBS_ANSWER(body.optional_text("project_id", longest_name)))
        budget.project = *project;
    if (body.is_null("project_id")) budget.project.clear();
    if (const auto value = OBS_ANSWER(body.optional_text("scope_value", longest_value)))
        budget.value = *value;
    if (body.is_null("scope_value")) budget.value.clear();
    if (budget.scope == BudgetScope::organisation && !budget.project.empty())
        return refuse(ErrorCode::invalid_field_value, "project_id",
                      "a budget of the organisation has no project");
    if (budget.scope <= BudgetScope::project && !budget.value.empty())
        return refuse(ErrorCode::invalid_field_value, "scope_value",
                      "scope_value names a user, model, tag or key; the scope is {}", name_of(budget.scope));
    return {};
}

ApiResult<void> read_period(const JsonBody& body, Budget& budget) {
    if (const auto period = OBS_ANSWER(
            word(body, "period", "daily, weekly, monthly, quarterly, yearly, rolling", budget_period_from)))
        budget.period = *period;
    if (const auto days = OBS_ANSWER(body.optional_integer("rolling_days", 1, longest_window)))
        budget.rolling_days = *days;
    if (budget.period != BudgetPeriod::rolling) {
        if (body.has("rolling_days"))
            return refuse(ErrorCode::invalid_field_value, "rolling_days",
                          "rolling_days is for budgets with the period rolling");
        budget.rolling_days = 0;
    } else if (budget.rolling_days == 0) {
        return refuse(ErrorCode::missing_required_field, "rolling_days",
                      "rolling_days is missing: how long the window is");
    }
    return {};
}

ApiResult<void> read_thresholds(const JsonBody& body, Budget& budget) {
    if (const auto percentages =
            OBS_ANSWER(word(body, "threshold_type", "percentage, absolute", is_percentage))) {
        const bool changes = *percentages != budget.thresholds_are_percentages;
        budget.thresholds_are_percentages = *percentages;
        if (changes && !(body.has("warning_threshold") && body.has("critical_threshold")))
            return refuse(ErrorCode::missing_required_field, "warning_threshold",
                          "another threshold_type takes warning_threshold and critical_threshold");
    }
    const double most = budget.thresholds_are_percentages ? most_percent : most_dollars;
    if (const auto warning = OBS_ANSWER(billionths(body, "warning_threshold", most)))
        budget.warning = *warning;
    if (const auto critical = OBS_ANSWER(billionths(body, "critical_threshold", most)))
        budget.critical = *critical;
    if (budget.warning > budget.critical)
        return refuse(ErrorCode::invalid_field_value, "warning_threshold",
                      "warning_threshold is above critical_threshold");
    return {};
}

ApiResult<void> read_limit(const JsonBody& body, Budget& budget) {
    if (const auto limit = OBS_ANSWER(billionths(body, "hard_limit", most_dollars)))
        budget.hard_limit = Usd{*limit};
    if (body.is_null("hard_limit")) budget.hard_limit.reset();
    if (const auto refuses = OBS_ANSWER(word(body, "on_hard_limit", "flag, refuse", is_refusal)))
        budget.refuses = *refuses;
    return {};
}

ApiResult<void> read_webhook(const JsonBody& body, Budget& budget, alert::Targets targets) {
    if (const auto url = OBS_ANSWER(body.optional_text("webhook_url", longest_url))) {
        if (const auto taken = alert::check_target(*url, targets); !taken)
            return refuse(ErrorCode::invalid_field_value, "webhook_url", "{}", taken.error().message);
        budget.webhook = *url;
    }
    if (body.is_null("webhook_url")) {
        budget.webhook.clear();
        budget.webhook_secret = Secret();
    }
    if (!body.has("webhook_secret")) return {};
    std::string secret = OBS_ANSWER(body.secret("webhook_secret"));
    if (secret.size() < shortest_secret || secret.find('\0') != std::string::npos)
        return refuse(ErrorCode::invalid_field_value, "webhook_secret",
                      "webhook_secret has at least {} characters", shortest_secret);
    if (budget.webhook.empty())
        return refuse(ErrorCode::invalid_field_value, "webhook_secret",
                      "webhook_secret is for budgets with a webhook_url");
    budget.webhook_secret = Secret(std::move(secret));
    return {};
}

std::string_view level_of(const Budget& budget, Usd spent) {
    if (spent >= budget.threshold(Severity::critical)) return "critical";
    return spent >= budget.threshold(Severity::warning) ? "warning" : "ok";
}

void write_subjects(JsonWriter& json, const Budget& budget,
                    const std::vector<std::pair<std::string, Usd>>& subjects) {
    json.key("subjects").begin_array();
    for (std::size_t at = 0; at < std::min(subjects.size(), most_subjects); ++at) {
        const auto& [value, spent] = subjects[at];
        json.begin_object().field("scope_value", value).field("spent", spent);
        json.field("percentage_used", alert::percentage_used(spent, budget.amount));
        json.field("level", level_of(budget, spent)).end_object();
    }
    json.end_array();
}

void write_state(JsonWriter& json, const alert::BudgetState& state) {
    const Budget& budget = state.budget;
    json.key("status").begin_object().field("spent", state.spent);
    json.field("remaining", Usd{std::max<std::int64_t>(0, budget.amount.nanos - state.spent.nanos)});
    json.field("percentage_used", alert::percentage_used(state.spent, budget.amount));
    json.field("level", level_of(budget, state.spent));
    if (budget.hard_limit) json.field("over_hard_limit", state.over_limit(state.spent));
    json.field("period_start", rfc3339(state.period.from)).field("period_end", rfc3339(state.period.to));
    if (budget.each()) write_subjects(json, budget, state.subjects);
    json.field("evaluated_at", rfc3339(state.evaluated)).end_object();
}

}  // namespace

ApiResult<Budget> budget_in(std::string_view text, Budget before, alert::Targets webhook_targets) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(text, members));
    Budget budget = std::move(before);
    if (budget.name.empty() || body.has("name")) budget.name = OBS_ANSWER(body.text("name", longest_name));
    if (const auto amount = OBS_ANSWER(billionths(body, "amount", most_dollars))) budget.amount = {*amount};
    if (budget.amount.nanos == 0)
        return refuse(ErrorCode::missing_required_field, "amount", "amount is missing");
    OBS_ANSWER(read_scope(body, budget));
    OBS_ANSWER(read_period(body, budget));
    OBS_ANSWER(read_thresholds(body, budget));
    OBS_ANSWER(read_limit(body, budget));
    OBS_ANSWER(read_webhook(body, budget, webhook_targets));
    if (const auto active = OBS_ANSWER(body.optional_flag("is_active"))) budget.active = *active;
    return budget;
}

void write_budget(JsonWriter& json, const Budget& budget, const BudgetView& view) {
    json.begin_object().field("id", budget.id).field("org_id", budget.org).field("name", budget.name);
    if (!budget.project.empty()) json.field("project_id", budget.project);
    json.field("scope", name_of(budget.scope));
    if (!budget.value.empty()) json.field("scope_value", budget.value);
    json.field("amount", budget.amount).field("period", name_of(budget.period));
    if (budget.period == BudgetPeriod::rolling) json.field("rolling_days", budget.rolling_days);
    json.field("threshold_type", budget.thresholds_are_percentages ? "percentage" : "absolute");
    // Percentages are billionths too.
    json.field("warning_threshold", Usd{budget.warning}).field("critical_threshold", Usd{budget.critical});
    if (budget.hard_limit) json.field("hard_limit", *budget.hard_limit);
    json.field("on_hard_limit", budget.refuses ? "refuse" : "flag");
    json.field("has_webhook", !budget.webhook.empty());
    if (view.shows_webhook && !budget.webhook.empty()) json.field("webhook_url", budget.webhook);
    if (!view.new_secret.empty()) json.field("webhook_secret", view.new_secret.reveal());
    json.field("is_active", budget.active);
    json.field("created_at", rfc3339(budget.created)).field("updated_at", rfc3339(budget.updated));
    if (view.state != nullptr) write_state(json, *view.state);
    json.end_object();
}

void write_alert(JsonWriter& json, const RaisedAlert& alert) {
    json.begin_object().field("id", alert.id).field("budget_id", alert.budget);
    json.field("budget_name", alert.budget_name);
    if (!alert.project.empty()) json.field("project_id", alert.project);
    if (!alert.subject.empty()) json.field("scope_value", alert.subject);
    json.field("severity", name_of(alert.severity)).field("current_cost", alert.spent);
    json.field("threshold_value", alert.threshold).field("amount", alert.amount);
    json.field("percentage_used", alert::percentage_used(alert.spent, alert.amount));
    json.field("message", alert.message);
    json.field("period_start", rfc3339(alert.from)).field("period_end", rfc3339(alert.to));
    json.field("triggered_at", rfc3339(alert.triggered));
    if (alert.resolved) json.field("resolved_at", rfc3339(*alert.resolved));
    json.end_object();
}

void write_delivery(JsonWriter& json, const Delivery& delivery) {
    json.begin_object().field("id", delivery.id).field("alert_id", delivery.alert);
    json.field("event", delivery.event).field("url", delivery.url).field("state", name_of(delivery.state));
    json.field("attempts", delivery.attempts);
    if (delivery.status) json.field("last_status", *delivery.status);
    if (!delivery.error.empty()) json.field("last_error", delivery.error);
    if (delivery.state == DeliveryState::pending) json.field("next_attempt_at", rfc3339(delivery.due));
    json.field("created_at", rfc3339(delivery.created));
    if (delivery.finished) json.field("finished_at", rfc3339(*delivery.finished));
    json.end_object();
}

void write_period(JsonWriter& json, const Budget& budget, const alert::PeriodSpent& spent) {
    // Of a budget for each value, whoever spent most decides.
    const Usd counts = !budget.each()           ? spent.spent
                       : spent.subjects.empty() ? Usd{}
                                                : spent.subjects.front().second;
    json.begin_object().field("start", rfc3339(spent.period.from)).field("end", rfc3339(spent.period.to));
    json.field("spent", spent.spent).field("requests", spent.calls);
    json.field("percentage_used", alert::percentage_used(counts, budget.amount));
    json.field("level", level_of(budget, counts));
    if (budget.each()) write_subjects(json, budget, spent.subjects);
    json.end_object();
}

void write_limit(JsonWriter& json, const alert::BudgetState& state, std::string_view subject, bool exceeded) {
    const Budget& budget = state.budget;
    json.begin_object().field("budget_id", budget.id).field("name", budget.name);
    json.field("scope", name_of(budget.scope));
    if (!budget.project.empty()) json.field("project_id", budget.project);
    if (!subject.empty()) json.field("scope_value", subject);
    json.field("hard_limit", *budget.hard_limit).field("exceeded", exceeded);
    json.field("on_hard_limit", budget.refuses ? "refuse" : "flag");
    // The end of a rolling window moves with the clock.
    if (budget.period != BudgetPeriod::rolling) json.field("period_end", rfc3339(state.period.to));
    json.end_object();
}

}  // namespace obs::serve
