#include "serve/budget_routes.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "alert/spending.h"
#include "catalog/data_directory.h"
#include "serve/account_json.h"
#include "serve/budget_json.h"
#include "serve/list_request.h"
#include "serve/rights.h"

namespace obs::serve {

namespace {

constexpr std::size_t secret_length = 40, longest_id = 128;
constexpr std::string_view manage = "manage:budgets";

struct Shared {
    BudgetParts parts;
    std::shared_ptr<const AnalyticsShared> analytics;
};

// One request about budgets of the caller's organisation.
struct Asked {
    const Shared& shared;
    const Call& call;
    const Principal& who;
    Budgets budgets;

    Asked(const Shared& of, const Call& request)
        : shared(of), call(request), who(*request.principal), budgets(of.parts.catalog) {}

    std::string_view body() const { return call.request.body.view(); }
    std::string_view query() const { return call.request.head.query; }
    bool may_manage() const { return who.may(manage); }
    // What was changed counts from now on.
    void changed() const { shared.parts.watch.look_now(); }
};

bool sees(const Scope& scope, std::string_view project) {
    return scope.projects().empty() || std::ranges::find(scope.projects(), project) != scope.projects().end();
}

constexpr ParameterInfo list_parameters[] = {page_limit, page_offset, parameter::project_id};
constexpr ParameterInfo history_parameters[] = {{"periods",
                                                 ParameterType::integer,
                                                 "how many, the current one included",
                                                 {.fallback = "12", .least = 1, .most = 60}}};
constexpr ParameterInfo alert_parameters[] = {
    page_limit,
    page_offset,
    parameter::project_id,
    parameter::from,
    parameter::to,
    {"budget_id", ParameterType::text, "of this budget", {.most = longest_id}},
    {"severity", ParameterType::word, "of this severity", {.words = "warning critical"}},
    {"open", ParameterType::flag, "only those that are not resolved", {.fallback = "false"}}};
constexpr ParameterInfo limit_parameters[] = {
    parameter::project_id,
    {"user_id", ParameterType::text, "only limits of this user, and of what else is named", {.most = 256}},
    {"model", ParameterType::text, "only limits of this model", {.most = 256}},
    {"tag", ParameterType::text, "only limits of this tag", {.most = 256}},
    {"key_id", ParameterType::text, "only limits of this ingest key", {.most = longest_id}}};

// ---- one budget

std::unexpected<ApiError> not_found() {
    return refuse(ErrorCode::resource_not_found, "", "there is no such budget");
}

ApiResult<Budget> budget_in_path(const Asked& asked) {
    const Scope scope = OBS_ANSWER(scope_of(asked.who, ""));
    const std::string id = OBS_ANSWER(id_of(asked.call, "budget_id"));
    auto budget = OBS_ANSWER(asked.budgets.find(asked.who.org, id));
    if (!budget || !sees(scope, budget->project)) return not_found();
    return *std::move(budget);
}

// A budget tells what its calls cost: nobody makes one for what they do not see.
ApiResult<void> check_place(const Asked& asked, Budget& budget) {
    const bool may_be_everywhere = budget.scope != BudgetScope::project;
    if (budget.project.empty() && budget.scope != BudgetScope::organisation &&
        !asked.who.sees_all_projects() && asked.who.projects.size() == 1)
        budget.project = asked.who.projects.front();
    if (budget.project.empty()) {
        if (!may_be_everywhere)
            return refuse(ErrorCode::missing_required_field, "project_id", "project_id is missing");
        if (OBS_ANSWER(asked.shared.parts.catalog.projects_of(asked.who.org, {.limit = 1})).total == 0)
            return refuse(ErrorCode::invalid_field_value, "scope", "the organisation has no projects");
        return may_give(asked.who, {.permissions = {}, .projects = {}, .all_projects = true},
                        "a budget of all projects");
    }
    if (!is_id(budget.project) ||
        !OBS_ANSWER(asked.shared.parts.catalog.project_of(asked.who.org, budget.project)))
        return refuse(ErrorCode::invalid_field_value, "project_id", "there is no such project");
    return may_give(asked.who, {.permissions = {}, .projects = {budget.project}}, "this budget");
}

ApiResult<void> check_key(const Asked& asked, const Budget& budget) {
    if (budget.scope != BudgetScope::key || budget.value.empty()) return {};
    if (!is_id(budget.value) || !OBS_ANSWER(asked.shared.parts.catalog.key_of(asked.who.org, budget.value)))
        return refuse(ErrorCode::invalid_field_value, "scope_value", "scope_value is the id of a key");
    return {};
}

ApiResult<Budget> wanted(const Asked& asked, const Budget& before) {
    Budget budget = OBS_ANSWER(budget_in(asked.body(), before, asked.shared.parts.webhook_targets));
    OBS_ANSWER(check_place(asked, budget));
    OBS_ANSWER(check_key(asked, budget));
    if (!budget.webhook.empty() && budget.webhook_secret.empty())
        budget.webhook_secret = Secret(random_text(secret_length));
    return budget;
}

// A secret that is not the one before was just set or made.
Reply budget_reply(const Asked& asked, const Budget& budget, const Secret& known, int status) {
    const auto board = asked.shared.parts.board.now();
    const alert::BudgetState* state = board->find(budget.id);
    if (state != nullptr && state->budget.updated != budget.updated) state = nullptr;
    BudgetView view{.state = state, .shows_webhook = asked.may_manage()};
    if (budget.webhook_secret.reveal() != known.reveal()) view.new_secret = budget.webhook_secret;
    Reply reply{.status = status};
    JsonWriter json(reply.body);
    write_budget(json, budget, view);
    return reply;
}

std::unexpected<ApiError> taken() {
    return refuse(ErrorCode::resource_already_exists, "name", "another budget has this name");
}

ApiResult<Reply> create_budget(Asked asked) {
    Budget budget = OBS_ANSWER(wanted(asked, {.org = asked.who.org}));
    const auto made = OBS_ANSWER(asked.budgets.create(budget, asked.call.now));
    if (!made) return taken();
    asked.changed();
    return budget_reply(asked, *made, {}, 201);
}

ApiResult<Reply> show_budget(Asked asked) {
    const Budget budget = OBS_ANSWER(budget_in_path(asked));
    return budget_reply(asked, budget, budget.webhook_secret, 200);
}

ApiResult<Reply> change_budget(Asked asked) {
    const Budget before = OBS_ANSWER(budget_in_path(asked));
    const Budget budget = OBS_ANSWER(wanted(asked, before));
    const auto kept = OBS_ANSWER(asked.budgets.change(budget, asked.call.now));
    if (!kept) return taken();
    asked.changed();
    return budget_reply(asked, *kept, before.webhook_secret, 200);
}

ApiResult<Reply> delete_budget(Asked asked) {
    const Budget budget = OBS_ANSWER(budget_in_path(asked));
    if (!OBS_ANSWER(asked.budgets.remove(budget))) return not_found();
    asked.changed();
    return Reply{.status = 204};
}

// ---- lists

ApiResult<Reply> list_budgets(Asked asked) {
    const Parameters given = OBS_ANSWER(Parameters::read(list_parameters, asked.query(), asked.call.now));
    const Scope scope = OBS_ANSWER(scope_of(asked.who, given.text("project_id")));
    std::vector<Budget> budgets = OBS_ANSWER(asked.budgets.list(asked.who.org));
    std::erase_if(budgets, [&](const Budget& budget) { return !sees(scope, budget.project); });
    const Page page = page_of(given);
    const Listed<Budget> listed = page_in(std::move(budgets), page);
    const auto board = asked.shared.parts.board.now();
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("budgets").begin_array();
    for (const Budget& budget : listed.items)
        write_budget(json, budget, {.state = board->find(budget.id), .shows_webhook = asked.may_manage()});
    json.end_array();
    write_pagination(json, listed.total, page, listed.items.size());
    json.end_object();
    return reply;
}

ApiResult<Reply> list_alerts(Asked asked) {
    const Parameters given = OBS_ANSWER(Parameters::read(alert_parameters, asked.query(), asked.call.now));
    const Scope scope = OBS_ANSWER(scope_of(asked.who, given.text("project_id")));
    const Window window = OBS_ANSWER(window_of(given, asked.call.now));
    AlertsWanted wanted{.org = asked.who.org,
                        .budget = std::string(given.text("budget_id")),
                        .projects = scope.projects(),
                        .severity = severity_from(given.text("severity")),
                        .from = window.from,
                        .to = window.to,
                        .only_open = given.flag("open").value_or(false)};
    if (!wanted.budget.empty() && !is_id(wanted.budget)) return not_found();
    const Page page = page_of(given);
    const Listed<RaisedAlert> alerts = OBS_ANSWER(asked.budgets.alerts(wanted, page));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("alerts").begin_array();
    for (const RaisedAlert& alert : alerts.items) write_alert(json, alert);
    json.end_array();
    write_pagination(json, alerts.total, page, alerts.items.size());
    json.end_object();
    return reply;
}

ApiResult<Reply> list_deliveries(Asked asked) {
    const Budget budget = OBS_ANSWER(budget_in_path(asked));
    const Page page = page_of(OBS_ANSWER(Parameters::read(page_parameters, asked.query(), asked.call.now)));
    const Listed<Delivery> deliveries = OBS_ANSWER(asked.budgets.deliveries(budget.id, page));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("deliveries").begin_array();
    for (const Delivery& delivery : deliveries.items) write_delivery(json, delivery);
    json.end_array();
    write_pagination(json, deliveries.total, page, deliveries.items.size());
    json.end_object();
    return reply;
}

// ---- what was spent

ApiResult<Reply> show_history(Asked asked) {
    const Parameters given = OBS_ANSWER(Parameters::read(history_parameters, asked.query(), asked.call.now));
    const Budget budget = OBS_ANSWER(budget_in_path(asked));
    query::Calendar calendar;
    if (!budget.project.empty()) {
        const ProjectSettings settings =
            OBS_ANSWER(asked.shared.parts.catalog.project_settings(budget.project));
        calendar = query::Calendar::of(settings.time_zone).value_or(query::Calendar());
    }
    const auto periods = alert::periods_until(budget, calendar, asked.call.now,
                                              static_cast<std::size_t>(*given.integer("periods")));
    const auto spent = OBS_ANSWER(alert::spent_by_period(asked.shared.analytics->figures, budget, periods,
                                                         asked.call.now, asked.call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().field("budget_id", budget.id).field("amount", budget.amount);
    json.field("period", name_of(budget.period)).field("timezone", calendar.zone());
    json.key("periods").begin_array();
    for (const alert::PeriodSpent& one : spent) write_period(json, budget, one);
    json.end_array().end_object();
    return reply;
}

// ---- hard limits

// What of a kind of scope the client asks about; empty for everything.
std::string_view asked_about(const Parameters& given, BudgetScope scope) {
    switch (scope) {
        case BudgetScope::organisation:
        case BudgetScope::project: return {};
        case BudgetScope::user: return given.text("user_id");
        case BudgetScope::model: return given.text("model");
        case BudgetScope::tag: return given.text("tag");
        case BudgetScope::key: return given.text("key_id");
    }
    return {};
}

struct Limit {
    const alert::BudgetState* state;
    std::string_view subject;
    bool exceeded;
};

bool names_anything(const Parameters& given) {
    return given.has("user_id") || given.has("model") || given.has("tag") || given.has("key_id");
}

void add_limits(std::vector<Limit>& limits, const alert::BudgetState& state, const Parameters& given) {
    const Budget& budget = state.budget;
    const std::string_view about = asked_about(given, budget.scope);
    // Who asks about a user does not mean the limits of models.
    if (budget.scope > BudgetScope::project && about.empty() && names_anything(given)) return;
    if (!budget.each()) {
        if (about.empty() || about == budget.value || budget.value.empty())
            limits.push_back({&state, budget.value, state.over_limit(state.spent)});
        return;
    }
    bool found = false;
    for (const auto& [subject, spent] : state.subjects) {
        if (!about.empty() && subject != about) continue;
        found = true;
        if (!about.empty() || state.over_limit(spent))
            limits.push_back({&state, subject, state.over_limit(spent)});
    }
    if (!about.empty() && !found) limits.push_back({&state, about, false});
}

// From memory alone, what is exceeded first. What is spent is not in it, so that it stays the same until
// somebody has to act.
ApiResult<Reply> show_limits(Asked asked) {
    const Parameters given = OBS_ANSWER(Parameters::read(limit_parameters, asked.query(), asked.call.now));
    const Scope scope = OBS_ANSWER(scope_of(asked.who, given.text("project_id")));
    const bool one_project = given.has("project_id");
    const auto board = asked.shared.parts.board.now();
    std::vector<Limit> limits;
    for (const alert::BudgetState& state : board->states()) {
        const Budget& budget = state.budget;
        // A budget of all projects holds for each of them; who sees only some is told no more than that.
        const bool meant = sees(scope, budget.project) || (one_project && budget.project.empty());
        if (budget.org != asked.who.org || !budget.hard_limit || !meant) continue;
        add_limits(limits, state, given);
    }
    std::ranges::sort(limits, {}, [](const Limit& limit) {
        const Budget& budget = limit.state->budget;
        return std::tuple(!limit.exceeded, std::string_view(budget.name), std::string_view(budget.id),
                          limit.subject);
    });
    const bool exceeded = !limits.empty() && limits.front().exceeded;
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().field("exceeded", exceeded);
    if (exceeded) json.field("code", info_of(ErrorCode::quota_exceeded).code);
    json.key("limits").begin_array();
    for (const Limit& limit : limits) write_limit(json, *limit.state, limit.subject, limit.exceeded);
    json.end_array().end_object();
    return reply;
}

// ---- the table

struct BudgetRoute {
    std::string_view method, pattern, permission;
    ApiResult<Reply> (*answer)(Asked);
    RouteDocs docs;
    std::chrono::seconds keep{0};
};

std::vector<BudgetRoute> table() {
    constexpr std::string_view read = "read:costs", tag = "budgets";
    constexpr std::string_view one = "/api/v1/costs/budgets/:budget_id";
    return {
        {"GET",
         "/api/v1/costs/budgets",
         read,
         list_budgets,
         {.summary = "Budgets, and what is spent of them",
          .tag = tag,
          .parameters = list_parameters,
          .answer = "BudgetList"}},
        {"POST",
         "/api/v1/costs/budgets",
         manage,
         create_budget,
         {.summary = "Make a budget; the secret of its webhook is shown this once",
          .tag = tag,
          .body = "BudgetBody",
          .answer = "Budget",
          .status = 201,
          .refusals = {403, 409}}},
        {"GET",
         one,
         read,
         show_budget,
         {.summary = "One budget", .tag = tag, .answer = "Budget", .refusals = {404}}},
        {"PUT",
         one,
         manage,
         change_budget,
         {.summary = "Change a budget: what is not said stays, null takes it back",
          .tag = tag,
          .body = "BudgetChange",
          .answer = "Budget",
          .refusals = {403, 404, 409}}},
        {"DELETE",
         one,
         manage,
         delete_budget,
         {.summary = "Delete a budget with its alerts", .tag = tag, .status = 204, .refusals = {404}}},
        {"GET",
         "/api/v1/costs/budgets/:budget_id/history",
         read,
         show_history,
         {.summary = "What was spent in each period",
          .tag = tag,
          .parameters = history_parameters,
          .answer = "BudgetHistory",
          .refusals = {404}}},
        {"GET",
         "/api/v1/costs/budgets/:budget_id/deliveries",
         manage,
         list_deliveries,
         {.summary = "What the webhook was told, newest first",
          .tag = tag,
          .parameters = page_parameters,
          .answer = "DeliveryList",
          .refusals = {404}}},
        {"GET",
         "/api/v1/costs/alerts",
         read,
         list_alerts,
         {.summary = "Alerts of budgets, newest first: of the window, and those that are not resolved",
          .tag = tag,
          .parameters = alert_parameters,
          .answer = "AlertList",
          .refusals = {404}}},
        {"GET",
         "/api/v1/costs/limits",
         read,
         show_limits,
         {.summary = "Hard limits, to be polled: whether one is exceeded",
          .tag = tag,
          .parameters = limit_parameters,
          .answer = "SpendLimits",
          .description = "Answered from memory. The answer and its ETag stay the same until a limit is "
                         "exceeded, changed, or begins anew."},
         std::chrono::seconds(1)},
    };
}

}  // namespace

std::vector<Route> budget_routes(const BudgetParts& parts, const AnalyticsParts& analytics) {
    const auto shared = std::make_shared<const Shared>(Shared{parts, share(analytics)});
    std::vector<Route> routes;
    for (BudgetRoute& row : table())
        routes.push_back({.method = row.method,
                          .pattern = row.pattern,
                          .access = Access::token,
                          .permission = row.permission,
                          .handler = [shared, answer = row.answer](
                                         const Call& call) { return answer(Asked(*shared, call)); },
                          .docs = std::move(row.docs),
                          .cache = {.keep = row.keep}});
    return routes;
}

}  // namespace obs::serve
