// Budgets over the API: who may do what, what is refused, what is shown.
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using obs::test::span;

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);
constexpr std::int64_t dollar = 1'000'000'000;
const std::string budgets = "/api/v1/costs/budgets";

class BudgetApi : public testing::Test {
protected:
    BudgetApi() {
        EXPECT_TRUE(accounts.catalog->create_project("Shop", now));
        admin = accounts.sign_in_as("admin@example.org", "admin", {});
        billing = accounts.sign_in_as("billing@example.org", "billing", {"default"});
        viewer = accounts.sign_in_as("viewer@example.org", "viewer", {"default"});
    }
    Answer send(std::string_view method, std::string_view target, std::string_view body,
                const std::string& token) {
        return api.ask(method, target, body, {{"authorization", "Bearer " + token}});
    }
    Answer make(std::string_view body, const std::string& token) {
        return send("POST", budgets, body, token);
    }
    std::string id_of(const Answer& answer) { return unquoted(answer.at("/id")); }
    static std::string unquoted(const std::string& text) {
        return text.size() < 2 ? text : text.substr(1, text.size() - 2);
    }
    void spend(std::string_view user, std::int64_t dollars, std::string_view project = "default") {
        api.write({span(fmt::format("s{}", ++spans))
                       .set("org_id", "default")
                       .project(project)
                       .user(user)
                       .cost(dollars * dollar)});
    }
    void look() { EXPECT_TRUE(api.watch.look(now, {})); }

    TestAccounts accounts{now};
    TestApi api{{}, nullptr, &accounts};
    std::string admin, billing, viewer;
    int spans = 0;
};

TEST_F(BudgetApi, showsABudgetAsItWasMade) {
    const Answer made = make(R"({"name":"Team","amount":10.5,"scope":"user","scope_value":"ann",
        "project_id":"default","period":"rolling","rolling_days":30,"warning_threshold":50,
        "hard_limit":20,"on_hard_limit":"refuse"})",
                             admin);
    ASSERT_EQ(made.status, 201) << made.body;
    const Answer shown = api.get(budgets + "/" + id_of(made), viewer);
    EXPECT_EQ(shown.status, 200);
    EXPECT_EQ(shown.body, made.body);
    for (const auto& [pointer, expected] : {std::pair{"/amount", "10.5"},
                                            {"/scope", "\"user\""},
                                            {"/scope_value", "\"ann\""},
                                            {"/rolling_days", "30"},
                                            {"/threshold_type", "\"percentage\""},
                                            {"/warning_threshold", "50"},
                                            {"/critical_threshold", "100"},
                                            {"/hard_limit", "20"},
                                            {"/on_hard_limit", "\"refuse\""},
                                            {"/has_webhook", "false"},
                                            {"/is_active", "true"}})
        EXPECT_EQ(shown.at(pointer), expected) << pointer;
    EXPECT_EQ(api.get(budgets, viewer).at("/pagination/total"), "1");
}

TEST_F(BudgetApi, showsWhatIsSpent) {
    const Answer made = make(R"({"name":"Team","amount":10,"project_id":"default","hard_limit":9})", admin);
    spend("ann", 6);
    spend("bob", 3);
    look();
    const Answer shown = api.get(budgets + "/" + id_of(made), viewer);
    EXPECT_EQ(shown.at("/status/spent"), "9");
    EXPECT_EQ(shown.at("/status/remaining"), "1");
    EXPECT_EQ(shown.at("/status/level"), "\"warning\"");
    EXPECT_EQ(shown.at("/status/over_hard_limit"), "true");
    EXPECT_EQ(shown.at("/status/period_start"), "\"2026-01-01T00:00:00Z\"");
    const Answer history = api.get(budgets + "/" + id_of(made) + "/history?periods=2", viewer);
    EXPECT_EQ(history.at("/periods/0/spent"), "0");
    EXPECT_EQ(history.at("/periods/1/spent"), "9");
    EXPECT_EQ(history.at("/periods/1/requests"), "2");
    const Answer alerts = api.get("/api/v1/costs/alerts?open=true", viewer);
    EXPECT_EQ(alerts.at("/alerts/0/severity"), "\"warning\"");
    EXPECT_EQ(alerts.at("/alerts/0/current_cost"), "9");
    EXPECT_EQ(alerts.at("/alerts/0/threshold_value"), "8");
    EXPECT_EQ(alerts.at("/pagination/total"), "1");
}

TEST_F(BudgetApi, showsWhoSpentMostOfABudgetForEach) {
    const Answer made = make(R"({"name":"Each","amount":5,"scope":"user","project_id":"default"})", admin);
    spend("ann", 6);
    spend("bob", 4);
    spend("eve", 1);
    look();
    const Answer shown = api.get(budgets + "/" + id_of(made), viewer);
    EXPECT_EQ(shown.at("/status/subjects/0/scope_value"), "\"ann\"");
    EXPECT_EQ(shown.at("/status/subjects/0/level"), "\"critical\"");
    EXPECT_EQ(shown.at("/status/subjects/1/scope_value"), "\"bob\"");
    EXPECT_EQ(shown.at("/status/subjects/2"), "");
}

TEST_F(BudgetApi, changesOnlyWhatIsSaid) {
    const std::string target =
        budgets + "/" +
        id_of(make(R"({"name":"Team","amount":10,"project_id":"default","hard_limit":20})", admin));
    const Answer changed = send("PUT", target, R"({"amount":12,"hard_limit":null})", billing);
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.at("/name"), "\"Team\"");
    EXPECT_EQ(changed.at("/amount"), "12");
    EXPECT_EQ(changed.at("/hard_limit"), "");
    EXPECT_EQ(send("DELETE", target, "", billing).status, 204);
    EXPECT_EQ(api.get(target, admin).status, 404);
    EXPECT_EQ(send("DELETE", target, "", billing).status, 404);
}

TEST_F(BudgetApi, showsTheSecretOfAWebhookOnce) {
    const Answer made = make(
        R"({"name":"Team","amount":10,"project_id":"default","webhook_url":"https://hooks.example.org/T/key"})",
        billing);
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(unquoted(made.at("/webhook_secret")).size(), 40U);
    const std::string target = budgets + "/" + id_of(made);
    const std::string same = R"({"amount":11})", other = R"({"webhook_secret":"0123456789abcdef"})";
    EXPECT_EQ(send("PUT", target, same, billing).at("/webhook_secret"), "");
    EXPECT_EQ(send("PUT", target, other, billing).at("/webhook_secret"), "\"0123456789abcdef\"");
    EXPECT_EQ(api.get(target, billing).at("/webhook_secret"), "");
    EXPECT_EQ(api.get(target, billing).at("/webhook_url"), "\"https://hooks.example.org/T/key\"");
    const Answer seen = api.get(target, viewer);
    EXPECT_EQ(seen.at("/has_webhook"), "true");
    EXPECT_EQ(seen.body.find("hooks.example.org"), std::string::npos) << "the address may carry a key";
    EXPECT_EQ(api.get(target + "/deliveries", viewer).status, 403);
    spend("ann", 20);
    look();
    const Answer deliveries = api.get(target + "/deliveries", billing);
    EXPECT_EQ(deliveries.at("/pagination/total"), "2");
    EXPECT_EQ(deliveries.at("/deliveries/0/state"), "\"pending\"");
}

struct RefusedCase {
    std::string what, body, field;
    int status = 400;
};
class RefusedBudgets : public BudgetApi, public testing::WithParamInterface<RefusedCase> {};
TEST_P(RefusedBudgets, nameWhatIsWrong) {
    ASSERT_EQ(make(R"({"name":"Team","amount":1,"project_id":"default"})", admin).status, 201);
    const Answer answer = make(GetParam().body, billing);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(unquoted(answer.at("/error/field")), GetParam().field) << answer.body;
    EXPECT_EQ(api.get(budgets, admin).at("/pagination/total"), "1");
}
std::string with(std::string_view more) {
    return fmt::format(R"({{"name":"x","amount":1,"project_id":"default",{}}})", more);
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, RefusedBudgets,
    testing::Values(
        RefusedCase{"no_json", "[]", ""}, RefusedCase{"nothing", "{}", "name"},
        RefusedCase{"no_amount", R"({"name":"x"})", "amount"},
        RefusedCase{"amount_of_nothing", R"({"name":"x","amount":0})", "amount"},
        RefusedCase{"amount_below_nothing", R"({"name":"x","amount":-1})", "amount"},
        RefusedCase{"amount_as_text", R"({"name":"x","amount":"1"})", "amount"},
        RefusedCase{"too_much", R"({"name":"x","amount":1e300})", "amount"},
        RefusedCase{"a_name_in_use", R"({"name":"Team","amount":1,"project_id":"default"})", "name", 409},
        RefusedCase{"a_name_with_a_line_break", R"({"name":"a\nb","amount":1})", "name"},
        RefusedCase{"an_unknown_member", with(R"("limit":1)"), "limit"},
        RefusedCase{"another_project", R"({"name":"x","amount":1,"project_id":"shop"})", "", 403},
        RefusedCase{"no_such_project", R"({"name":"x","amount":1,"project_id":"'--"})", "project_id"},
        RefusedCase{"all_projects_of_who_sees_one", R"({"name":"x","amount":1,"scope":"organisation"})", "",
                    403},
        RefusedCase{"an_organisation_with_a_project", with(R"("scope":"organisation")"), "project_id"},
        RefusedCase{"an_unknown_scope", with(R"("scope":"team")"), "scope"},
        RefusedCase{"a_value_of_a_project", with(R"("scope_value":"ann")"), "scope_value"},
        RefusedCase{"an_unknown_key", with(R"("scope":"key","scope_value":"k")"), "scope_value"},
        RefusedCase{"an_unknown_period", with(R"("period":"hourly")"), "period"},
        RefusedCase{"a_rolling_window_of_no_length", with(R"("period":"rolling")"), "rolling_days"},
        RefusedCase{"a_rolling_window_of_years", with(R"("period":"rolling","rolling_days":1000)"),
                    "rolling_days"},
        RefusedCase{"days_of_a_month", with(R"("rolling_days":3)"), "rolling_days"},
        RefusedCase{"a_warning_above_critical", with(R"("warning_threshold":101)"), "warning_threshold"},
        RefusedCase{"absolute_without_thresholds", with(R"("threshold_type":"absolute")"),
                    "warning_threshold"},
        RefusedCase{"an_unknown_deed", with(R"("on_hard_limit":"stop")"), "on_hard_limit"},
        RefusedCase{"a_webhook_on_loopback", with(R"("webhook_url":"http://127.0.0.1/")"), "webhook_url"},
        RefusedCase{"a_webhook_to_a_file", with(R"("webhook_url":"file:///etc/passwd")"), "webhook_url"},
        RefusedCase{"a_secret_without_a_webhook", with(R"("webhook_secret":"0123456789abcdef")"),
                    "webhook_secret"},
        RefusedCase{"a_short_secret",
                    with(R"("webhook_url":"https://hooks.example.org","webhook_secret":"x")"),
                    "webhook_secret"}),
    [](const auto& test) { return test.param.what; });

TEST_F(BudgetApi, areSeenByWhoSeesTheProject) {
    const Answer ours = make(R"({"name":"ours","amount":1,"project_id":"default"})", admin);
    const Answer theirs = make(R"({"name":"theirs","amount":1,"project_id":"shop"})", admin);
    const Answer all = make(R"({"name":"all","amount":1,"scope":"organisation"})", admin);
    spend("ann", 5);
    spend("ann", 5, "shop");
    look();
    EXPECT_EQ(api.get(budgets, admin).at("/pagination/total"), "3");
    EXPECT_EQ(api.get(budgets, billing).at("/pagination/total"), "1");
    EXPECT_EQ(api.get("/api/v1/costs/alerts", admin).at("/pagination/total"), "6");
    EXPECT_EQ(api.get("/api/v1/costs/alerts", billing).at("/pagination/total"), "2");
    for (const Answer* hidden : {&theirs, &all}) {
        const std::string target = budgets + "/" + id_of(*hidden);
        EXPECT_EQ(api.get(target, billing).status, 404);
        EXPECT_EQ(api.get(target + "/history", billing).status, 404);
        EXPECT_EQ(send("PUT", target, R"({"amount":2})", billing).status, 404);
        EXPECT_EQ(send("DELETE", target, "", billing).status, 404);
    }
    const std::string own = budgets + "/" + id_of(ours);
    EXPECT_EQ(send("PUT", own, R"({"project_id":"shop"})", billing).status, 403);
    EXPECT_EQ(send("PUT", own, R"({"amount":2})", viewer).status, 403);
    EXPECT_EQ(make(R"({"name":"x","amount":1})", viewer).status, 403);
}

TEST_F(BudgetApi, tellsOfHardLimitsWithoutChangingUntilSomebodyMustAct) {
    make(R"({"name":"each","amount":100,"scope":"user","project_id":"default","hard_limit":5})", admin);
    make(R"({"name":"all","amount":100,"project_id":"default","hard_limit":50})", admin);
    spend("ann", 4);
    look();
    const std::string target = "/api/v1/costs/limits?user_id=ann";
    const Answer before = api.get(target, viewer);
    EXPECT_EQ(before.at("/exceeded"), "false");
    EXPECT_EQ(before.at("/limits/0/name"), "\"all\"");
    EXPECT_EQ(before.at("/limits/1/name"), "\"each\"");
    const std::string tag(before.headers.get("etag"));
    spend("bob", 40);
    look();
    const Answer same = api.get(target, viewer, {{"if-none-match", tag}});
    EXPECT_EQ(same.status, 304) << same.body;
    spend("ann", 1);
    look();
    const Answer after = api.get(target, viewer, {{"if-none-match", tag}});
    EXPECT_EQ(after.status, 200);
    EXPECT_EQ(after.at("/exceeded"), "true");
    EXPECT_EQ(after.at("/code"), "\"QUOTA_EXCEEDED\"");
    EXPECT_EQ(api.get("/api/v1/costs/limits?user_id=eve", viewer).at("/exceeded"), "false");
    EXPECT_EQ(api.get("/api/v1/costs/limits?model=m", viewer).at("/limits/0/name"), "\"all\"");
    const Answer exceeded = api.get("/api/v1/costs/limits", viewer);
    EXPECT_EQ(exceeded.at("/limits/0/scope_value"), "\"ann\"");
    EXPECT_EQ(exceeded.at("/limits/1/scope_value"), "\"bob\"");
    EXPECT_EQ(exceeded.at("/limits/2/name"), "\"all\"");
}

}  // namespace
}  // namespace obs::serve::test
