#include "catalog/budgets.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};
constexpr Usd dollar{1'000'000'000};

Budget team(std::string name = "team") {
    return {.org = "default",
            .name = std::move(name),
            .project = "default",
            .scope = BudgetScope::user,
            .value = "ann",
            .amount = {10 * dollar.nanos},
            .period = BudgetPeriod::rolling,
            .rolling_days = 30,
            .warning = 50'500'000'000,
            .hard_limit = Usd{12 * dollar.nanos},
            .refuses = true,
            .webhook = "https://hooks.example.org/",
            .webhook_secret = Secret("s3cret")};
}

class BudgetsTest : public testing::TestWithParam<Backend> {
protected:
    Budget make(Budget budget = team()) { return budgets_.create(std::move(budget), now).value().value(); }
    static RaisedAlert alert_of(const Budget& budget, Severity severity = Severity::warning) {
        return {.id = new_alert_id(),
                .budget = budget.id,
                .org = budget.org,
                .subject = "ann",
                .severity = severity,
                .from = now,
                .to = now + Nanos::days(1),
                .threshold = budget.threshold(severity),
                .spent = budget.amount,
                .amount = budget.amount,
                .message = "it's spent",
                .triggered = now,
                .source = "here"};
    }
    static Delivery delivery_of(const RaisedAlert& alert) {
        return {.id = new_alert_id(),
                .budget = alert.budget,
                .alert = alert.id,
                .event = "budget.alert",
                .url = "https://hooks.example.org/",
                .body = "{}",
                .due = now,
                .created = now};
    }
    std::vector<RaisedAlert> alerts(AlertsWanted wanted) {
        wanted.org = "default";
        return budgets_.alerts(wanted, {}).value().items;
    }

    CatalogBed bed_{GetParam()};
    Catalog catalog_ = bed_.open();
    Budgets budgets_{catalog_};
};
INSTANTIATE_TEST_SUITE_P(Backends, BudgetsTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(BudgetsTest, areKeptAsTheyWere) {
    const Budget made = make();
    const auto found = budgets_.find("default", made.id);
    ASSERT_TRUE(found && *found);
    const Budget& kept = **found;
    EXPECT_EQ(kept.name, "team");
    EXPECT_EQ(kept.scope, BudgetScope::user);
    EXPECT_EQ(kept.value, "ann");
    EXPECT_EQ(kept.amount, made.amount);
    EXPECT_EQ(kept.period, BudgetPeriod::rolling);
    EXPECT_EQ(kept.rolling_days, 30);
    EXPECT_EQ(kept.threshold(Severity::warning).nanos, 5'050'000'000);
    EXPECT_EQ(kept.threshold(Severity::critical), made.amount);
    EXPECT_EQ(kept.hard_limit, made.hard_limit);
    EXPECT_TRUE(kept.refuses);
    EXPECT_TRUE(kept.active);
    EXPECT_EQ(kept.webhook_secret.reveal(), "s3cret");
    EXPECT_EQ(kept.created, now);
    EXPECT_FALSE(budgets_.find("umbrella", made.id).value()) << "of another organisation";
}

TEST_P(BudgetsTest, haveNamesOfTheirOwn) {
    make();
    EXPECT_FALSE(budgets_.create(team(), now).value());
    Budget other = make(team("other"));
    other.name = "team";
    EXPECT_FALSE(budgets_.change(other, now).value());
    other.name = "' OR 1=1 --";
    EXPECT_EQ(budgets_.change(other, now).value()->name, "' OR 1=1 --");
}

TEST_P(BudgetsTest, thatAreGoneCannotBeChanged) {
    Budget budget = make();
    EXPECT_TRUE(budgets_.raise(alert_of(budget), delivery_of(alert_of(budget))).value());
    EXPECT_TRUE(budgets_.remove(budget).value());
    EXPECT_FALSE(budgets_.remove(budget).value());
    EXPECT_EQ(budgets_.change(budget, now).error().kind, ErrorKind::not_found);
    EXPECT_TRUE(alerts({}).empty());
    EXPECT_TRUE(budgets_.due(now, 10).value().empty());
}

TEST_P(BudgetsTest, tellOthersThatTheyChanged) {
    const auto before = catalog_.version();
    make();
    EXPECT_NE(catalog_.version().value(), before.value());
}

TEST_P(BudgetsTest, raiseAnAlertOnceWhoeverIsFirst) {
    const Budget budget = make();
    std::atomic<int> first = 0;
    {
        std::vector<std::jthread> processes;
        for (int i = 0; i < 6; ++i)
            processes.emplace_back([&] {
                const Catalog own = bed_.open(Migrations::refuse);
                RaisedAlert alert = alert_of(budget);
                const auto raised = Budgets(own).raise(alert, delivery_of(alert));
                ASSERT_TRUE(raised) << raised.error().message;
                first += *raised ? 1 : 0;
            });
    }
    EXPECT_EQ(first, 1);
    EXPECT_EQ(alerts({}).size(), 1U);
    EXPECT_EQ(budgets_.due(now, 10).value().size(), 1U);
}

TEST_P(BudgetsTest, openAnAlertAgainUnderANewId) {
    const Budget budget = make();
    const RaisedAlert alert = alert_of(budget);
    EXPECT_TRUE(budgets_.raise(alert, {}).value());
    EXPECT_TRUE(budgets_.resolve(alert, now + Nanos::seconds(1), {}).value());
    EXPECT_FALSE(budgets_.resolve(alert, now + Nanos::seconds(2), {}).value());
    EXPECT_EQ(alerts({}).at(0).resolved, now + Nanos::seconds(1));
    const RaisedAlert again = alert_of(budget);
    EXPECT_TRUE(budgets_.raise(again, {}).value());
    EXPECT_FALSE(budgets_.raise(alert_of(budget), {}).value()) << "it is open";
    EXPECT_EQ(alerts({}).at(0).resolved, std::nullopt);
    EXPECT_EQ(alerts({}).at(0).id, again.id);
    EXPECT_EQ(budgets_.open_alerts().value().size(), 1U);
}

TEST_P(BudgetsTest, findAlertsByWhatIsWanted) {
    const Budget budget = make(), other = make(team("other"));
    const RaisedAlert warning = alert_of(budget);
    RaisedAlert late = alert_of(other, Severity::critical);
    late.triggered = now + Nanos::days(10);
    EXPECT_TRUE(budgets_.raise(warning, {}).value());
    EXPECT_TRUE(budgets_.raise(late, {}).value());
    EXPECT_TRUE(budgets_.resolve(warning, now + Nanos::days(1), {}).value());
    const auto names = [&](AlertsWanted wanted) {
        std::string text;
        for (const RaisedAlert& alert : alerts(std::move(wanted))) text += alert.budget_name + " ";
        return text;
    };
    EXPECT_EQ(names({}), "other team ");
    EXPECT_EQ(names({.budget = budget.id}), "team ");
    EXPECT_EQ(names({.budget = "' OR '1'='1"}), "");
    EXPECT_EQ(names({.projects = {"shop"}}), "");
    EXPECT_EQ(names({.projects = {"default"}}), "other team ");
    EXPECT_EQ(names({.severity = Severity::critical}), "other ");
    EXPECT_EQ(names({.only_open = true}), "other ");
    EXPECT_EQ(names({.from = now + Nanos::days(2)}), "other ");
    EXPECT_EQ(names({.from = now + Nanos::days(20)}), "other ") << "it is still open";
    EXPECT_EQ(names({.to = now + Nanos::days(2)}), "team ");
}

TEST_P(BudgetsTest, forgetWhatIsTooOld) {
    const Budget budget = make();
    RaisedAlert alert = alert_of(budget);
    Delivery delivery = delivery_of(alert);
    EXPECT_TRUE(budgets_.raise(alert, delivery).value());
    delivery.state = DeliveryState::failed;
    delivery.status = 500;
    delivery.error = "no";
    delivery.finished = now;
    ASSERT_TRUE(budgets_.note(delivery));
    EXPECT_TRUE(budgets_.resolve(alert, now, {}).value());
    ASSERT_TRUE(budgets_.forget(now + Nanos::days(30)));
    const auto listed = budgets_.deliveries(budget.id, {});
    ASSERT_EQ(listed->total, 1);
    EXPECT_EQ(listed->items[0].status, 500);
    EXPECT_EQ(listed->items[0].error, "no");
    ASSERT_TRUE(budgets_.forget(now + Nanos::days(30) + Nanos{1}));
    EXPECT_EQ(budgets_.deliveries(budget.id, {})->total, 0);
    EXPECT_EQ(alerts({}).size(), 1U);
    ASSERT_TRUE(budgets_.forget(now + Nanos::days(395) + Nanos{1}));
    EXPECT_TRUE(alerts({}).empty());
}

}  // namespace
}  // namespace obs
