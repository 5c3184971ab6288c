// What budgets notice, over a store in memory and a clock that the test sets.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alert/budget_watch.h"
#include "catalog/scratch.h"
#include "store/memory/memory_store.h"
#include "store/test_rows.h"

namespace obs::alert {
namespace {

using obs::test::noon;
using obs::test::span;
using obs::test::TestRow;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t dollar = 1'000'000'000;

class FakeLive final : public query::LiveData {
public:
    std::uint64_t visible_seq() const override { return visible; }
    Running running(const Scope&, std::optional<TraceId>) const override { return {}; }
    std::uint64_t visible = 0;
};

class Listener final : public LiveEvents {
public:
    void publish(LiveEvent event) override { heard.push_back(std::move(event)); }
    std::vector<LiveEvent> heard;
};

// One process: its own store, and a catalog that it may share.
struct Process {
    explicit Process(const Catalog& catalog, std::string name = "one")
        : figures(store, live, nullptr),
          watch({.source = std::move(name)}, catalog, figures, board, &listener, [this] { ++wakes; }) {
        EXPECT_TRUE(store.migrate());
    }
    void write(std::vector<TestRow> rows) {
        for (TestRow& row : rows) {
            if (row.get("project_id") == nullptr) row.project("default");
            row.set("org_id", "default").seq(++live.visible);
            if (row.get("kind") == nullptr) row.set("is_call", std::int64_t{1});
            // One by one: a write is of one day.
            ASSERT_TRUE(
                store.write(obs::test::batch_of(std::span(&row, 1)), fmt::format("w{}", live.visible)));
        }
    }
    void look(UnixNanos now = noon) {
        const Result<void> done = watch.look(now, {});
        ASSERT_TRUE(done) << done.error().message;
    }

    MemoryStore store;
    FakeLive live;
    query::Figures figures;
    SpendBoard board;
    Listener listener;
    int wakes = 0;
    BudgetWatch watch;
};

class BudgetTest : public testing::Test {
protected:
    Budget make(Budget budget) {
        budget.org = "default";
        if (budget.scope != BudgetScope::organisation && budget.project.empty()) budget.project = "default";
        if (budget.name.empty()) budget.name = fmt::format("budget {}", ++made_);
        if (budget.amount.nanos == 0) budget.amount = {10 * dollar};
        auto kept = budgets.create(budget, noon);
        EXPECT_TRUE(kept && *kept) << (kept ? "" : kept.error().message);
        return **kept;
    }
    // `critical ann 10`, newest first; those that are not resolved.
    std::vector<std::string> open() const {
        std::vector<std::string> words;
        for (const RaisedAlert& alert : all_alerts())
            if (!alert.resolved)
                words.push_back(fmt::format("{} {} {}", name_of(alert.severity), alert.subject,
                                            static_cast<double>(alert.threshold.nanos) / dollar));
        std::ranges::sort(words);
        return words;
    }
    std::vector<RaisedAlert> all_alerts() const {
        auto alerts = budgets.alerts({.org = "default"}, {.limit = 1000});
        EXPECT_TRUE(alerts) << alerts.error().message;
        return alerts->items;
    }

    Scratch scratch;
    Catalog catalog = Catalog::open(scratch.path() / "catalog.sqlite", Migrations::apply).value();
    Budgets budgets{catalog};
    Process process{catalog};
    int made_ = 0;
};

TEST_F(BudgetTest, raisesEachThresholdOnce) {
    make({.name = "team"});
    process.look();
    EXPECT_THAT(open(), IsEmpty());
    process.write({span("a").cost(8 * dollar - 1)});
    process.look();
    EXPECT_THAT(open(), IsEmpty()) << "a nano-dollar below the threshold";
    process.write({span("b").cost(1)});
    process.look();
    EXPECT_THAT(open(), ElementsAre("warning  8"));
    process.write({span("c").cost(5 * dollar)});
    process.look();
    process.look();
    EXPECT_THAT(open(), ElementsAre("critical  10", "warning  8"));
    ASSERT_EQ(process.listener.heard.size(), 2U);
    const LiveEvent& event = process.listener.heard.back();
    EXPECT_EQ(event.type, LiveEventType::cost_threshold);
    EXPECT_EQ(event.project, "default");
    for (const char* member : {R"("threshold_value":10,)", R"("current_value":13,)", R"("period":"monthly")",
                               R"("org_id":"default")", R"("percentage_used":130,)"})
        EXPECT_THAT(event.data, testing::HasSubstr(member));
}

struct ScopeCase {
    std::string what;
    BudgetScope scope;
    std::string value, project;
    std::int64_t dollars;
};
class BudgetScopes : public BudgetTest, public testing::WithParamInterface<ScopeCase> {};
TEST_P(BudgetScopes, countTheirOwnCalls) {
    ASSERT_TRUE(catalog.create_project("Shop", noon));
    const Budget budget =
        make({.project = GetParam().project, .scope = GetParam().scope, .value = GetParam().value});
    process.write({span("a").user("ann").model("m1").tags({"x", "y"}).set("ingest_key", "k1").cost(dollar),
                   span("b").user("bob").model("m2").tags({"y"}).set("ingest_key", "k2").cost(2 * dollar),
                   span("c").user("ann").model("m2").cost(4 * dollar),
                   span("d").project("shop").user("ann").cost(8 * dollar),
                   span("e").user("ann").model("m2").set("kind", "agent").cost(32 * dollar),
                   span("f").at(std::chrono::hours(-24 * 40)).user("ann").cost(64 * dollar)});
    process.look();
    const auto board = process.board.now();
    EXPECT_EQ(board->find(budget.id)->spent.nanos, GetParam().dollars * dollar);
}
INSTANTIATE_TEST_SUITE_P(Scopes, BudgetScopes,
                         testing::Values(ScopeCase{"a_project", BudgetScope::project, "", "default", 7},
                                         ScopeCase{"another_project", BudgetScope::project, "", "shop", 8},
                                         ScopeCase{"the_organisation", BudgetScope::organisation, "", "", 15},
                                         ScopeCase{"a_user_of_a_project", BudgetScope::user, "ann", "default",
                                                   5},
                                         ScopeCase{"a_model", BudgetScope::model, "m2", "default", 6},
                                         ScopeCase{"a_tag", BudgetScope::tag, "y", "default", 3},
                                         ScopeCase{"a_key", BudgetScope::key, "k2", "default", 2},
                                         ScopeCase{"nobody", BudgetScope::user, "eve", "default", 0}),
                         [](const auto& test) { return test.param.what; });

TEST_F(BudgetTest, ofEachUserFindsWhoSpentTooMuch) {
    make({.scope = BudgetScope::user, .amount = {5 * dollar}});
    process.write({span("a").user("ann").cost(3 * dollar), span("b").user("ann").cost(3 * dollar),
                   span("c").user("bob").cost(4 * dollar), span("d").user("eve").cost(dollar),
                   span("e").cost(100 * dollar)});
    process.look();
    EXPECT_THAT(open(), ElementsAre("critical ann 5", "warning ann 4", "warning bob 4"));
}

TEST_F(BudgetTest, takesAbsoluteThresholds) {
    make({.amount = {100 * dollar},
          .thresholds_are_percentages = false,
          .warning = 2 * dollar,
          .critical = 50 * dollar});
    process.write({span("a").cost(3 * dollar)});
    process.look();
    EXPECT_THAT(open(), ElementsAre("warning  2"));
}

TEST_F(BudgetTest, resolvesWhenThePeriodEnds) {
    make({.period = BudgetPeriod::daily});
    process.write({span("a").cost(9 * dollar)});
    process.look();
    EXPECT_THAT(open(), ElementsAre("warning  8"));
    process.look(noon + Nanos::hours(13));
    EXPECT_THAT(open(), IsEmpty());
    EXPECT_EQ(all_alerts().front().resolved, noon + Nanos::hours(13));
    ASSERT_EQ(process.listener.heard.size(), 2U);
    EXPECT_THAT(process.listener.heard.back().data, testing::HasSubstr(R"("type":"budget.resolved")"));
}

TEST_F(BudgetTest, resolvesWhenTheAmountIsRaised) {
    Budget budget = make({});
    process.write({span("a").cost(9 * dollar)});
    process.look();
    budget.amount = {100 * dollar};
    ASSERT_TRUE(*budgets.change(budget, noon + Nanos{1}));
    process.look();
    EXPECT_THAT(open(), IsEmpty());
    EXPECT_EQ(process.listener.heard.size(), 2U) << "its end is told too";
    budget.amount = {10 * dollar};
    ASSERT_TRUE(*budgets.change(budget, noon + Nanos{2}));
    process.look();
    process.look();
    EXPECT_THAT(open(), ElementsAre("warning  8"));
    EXPECT_EQ(all_alerts().size(), 1U);
    EXPECT_EQ(process.listener.heard.size(), 3U);
}

TEST_F(BudgetTest, ofNextToNothingRaisesNothingForNothing) {
    make({.amount = {1}});
    process.look();
    EXPECT_THAT(open(), IsEmpty());
}

TEST_F(BudgetTest, ofARollingWindowResolvesWhenSpendFallsOut) {
    make({.period = BudgetPeriod::rolling, .rolling_days = 7});
    process.write({span("a").cost(9 * dollar)});
    process.look();
    process.look(noon + Nanos::days(3));
    EXPECT_THAT(open(), ElementsAre("warning  8"));
    EXPECT_EQ(all_alerts().size(), 1U) << "the next day it is still the same alert";
    process.look(noon + Nanos::days(7) + Nanos::seconds(120));
    EXPECT_THAT(open(), IsEmpty());
}

TEST_F(BudgetTest, thatIsNotActiveRaisesNothing) {
    Budget budget = make({});
    process.write({span("a").cost(20 * dollar)});
    process.look();
    EXPECT_EQ(open().size(), 2U);
    budget.active = false;
    ASSERT_TRUE(*budgets.change(budget, noon));
    process.look();
    EXPECT_THAT(open(), IsEmpty());
    EXPECT_EQ(process.watch.stats().budgets, 0U);
}

TEST_F(BudgetTest, isToldByOneProcessOnly) {
    make({.webhook = "https://hooks.example/x"});
    Process other(catalog, "other");
    for (Process* one : {&process, &other}) one->write({span("a").cost(9 * dollar)});
    process.look();
    other.look();
    process.look();
    EXPECT_EQ(process.listener.heard.size() + other.listener.heard.size(), 1U);
    EXPECT_EQ(process.wakes + other.wakes, 1);
    const auto due = budgets.due(noon, 10);
    ASSERT_TRUE(due);
    EXPECT_EQ(due->size(), 1U);
    EXPECT_EQ(all_alerts().size(), 1U);
}

TEST_F(BudgetTest, isNotResolvedByAProcessThatSeesLess) {
    make({});
    Process other(catalog, "other");
    process.write({span("a").cost(9 * dollar)});
    process.look();
    other.look();
    EXPECT_THAT(open(), ElementsAre("warning  8"));
}

// ---- the hard limit

SpanBatch batch(std::vector<TestRow> rows) {
    return std::get<SpanBatch>(obs::test::batch_of(rows));
}

struct LimitCase {
    std::string what;
    Budget budget;
    Tenant tenant;
    std::vector<std::size_t> flagged, refused;
};
class HardLimits : public BudgetTest, public testing::WithParamInterface<LimitCase> {};
TEST_P(HardLimits, nameTheSpansThatAreOver) {
    Budget budget = GetParam().budget;
    budget.hard_limit = Usd{5 * dollar};
    make(budget);
    const SpanBatch coming =
        batch({span("x").user("ann").model("m").tags({"t"}), span("y").user("bob").model("n")});
    process.look();
    EXPECT_TRUE(process.board.over(GetParam().tenant, coming).flagged.empty());
    process.write({span("a").user("ann").model("m").tags({"t"}).set("ingest_key", "k").cost(5 * dollar)});
    process.look();
    const OverLimit over = process.board.over(GetParam().tenant, coming);
    EXPECT_EQ(over.flagged, GetParam().flagged);
    EXPECT_EQ(over.refused, GetParam().refused);
    EXPECT_EQ(over.budget.empty(), over.flagged.empty() && over.refused.empty());
}
const Tenant ours{};
INSTANTIATE_TEST_SUITE_P(
    Scopes, HardLimits,
    testing::Values(
        LimitCase{"of_a_project", {.refuses = true}, ours, {}, {0, 1}},
        LimitCase{"of_a_user", {.scope = BudgetScope::user, .value = "ann", .refuses = true}, ours, {}, {0}},
        LimitCase{"of_each_user", {.scope = BudgetScope::user}, ours, {0}, {}},
        LimitCase{"of_a_model", {.scope = BudgetScope::model, .value = "m"}, ours, {0}, {}},
        LimitCase{"of_a_tag", {.scope = BudgetScope::tag, .value = "t"}, ours, {0}, {}},
        LimitCase{"of_a_key", {.scope = BudgetScope::key, .value = "k"}, {.key_id = "k"}, {0, 1}, {}},
        LimitCase{"of_another_key", {.scope = BudgetScope::key, .value = "k"}, {.key_id = "j"}, {}, {}},
        LimitCase{"of_another_project", {.refuses = true}, {.project = "shop"}, {}, {}},
        LimitCase{"of_another_organisation", {.refuses = true}, {.org = "umbrella"}, {}, {}}),
    [](const auto& test) { return test.param.what; });

TEST_F(BudgetTest, thatRefusesWinsOverOneThatFlags) {
    make({.hard_limit = Usd{dollar}});
    make({.name = "strict",
          .scope = BudgetScope::user,
          .value = "ann",
          .hard_limit = Usd{dollar},
          .refuses = true});
    process.write({span("a").user("ann").cost(2 * dollar)});
    process.look();
    const OverLimit over = process.board.over(ours, batch({span("x").user("bob"), span("y").user("ann")}));
    EXPECT_THAT(over.flagged, ElementsAre(0U));
    EXPECT_THAT(over.refused, ElementsAre(1U));
    EXPECT_EQ(over.budget, "strict");
}

// ---- many budgets

// Counts what it is asked.
class CountingStore final : public SpanStore {
public:
    explicit CountingStore(SpanStore& store) : store_(store) {}
    Result<void> migrate() override { return store_.migrate(); }
    Result<void> write(const AnyBatch& rows, std::string_view id) override { return store_.write(rows, id); }
    Result<void> amend(const Amendments& amendments) override { return store_.amend(amendments); }
    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override {
        return store_.rows(question, cancel);
    }
    Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) override {
        ++asked;
        return store_.groups(question, cancel);
    }
    Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                        const Cancel& cancel) override {
        return store_.stream(question, sink, cancel);
    }
    Result<void> forget(const Forget& what) override { return store_.forget(what); }
    StoreHealth health() override { return store_.health(); }
    int asked = 0;

private:
    SpanStore& store_;
};

TEST_F(BudgetTest, areOneQuestionForEachKind) {
    std::vector<WatchedBudget> watched;
    for (int i = 0; i < 300; ++i) {
        const auto scope = static_cast<BudgetScope>(1 + i % 3);
        watched.push_back({{.id = fmt::format("{}", i),
                            .org = "default",
                            .project = "default",
                            .scope = scope,
                            .value = scope == BudgetScope::project ? "" : fmt::format("v{}", i),
                            .amount = {dollar}}});
    }
    process.write({span("a").user("v1").cost(dollar), span("b").model("v2").cost(2 * dollar)});
    CountingStore store(process.store);
    const query::Figures figures(store, process.live, nullptr);
    const auto states = spending(figures, watched, noon, {});
    ASSERT_TRUE(states) << states.error().message;
    EXPECT_EQ(store.asked, 3);
    EXPECT_EQ(states->at(0).spent.nanos, 3 * dollar);
    EXPECT_EQ(states->at(1).spent.nanos, dollar);
    EXPECT_EQ(states->at(2).spent.nanos, 2 * dollar);
    EXPECT_EQ(states->at(4).spent.nanos, 0);
}

TEST_F(BudgetTest, knowsWhatWasSpentInEarlierPeriods) {
    process.write({span("a").tags({"x", "y"}).user("ann").cost(dollar),
                   span("b").at(std::chrono::hours(-24)).tags({"x"}).user("bob").cost(2 * dollar),
                   span("c").at(std::chrono::hours(-25)).tags({"y"}).user("ann").cost(4 * dollar)});
    const auto dollars_of = [&](Budget budget) {
        budget.org = "default";
        budget.period = BudgetPeriod::daily;
        const auto spent =
            spent_by_period(process.figures, budget, periods_until(budget, {}, noon, 3), noon, {});
        EXPECT_TRUE(spent) << spent.error().message;
        std::vector<std::int64_t> dollars;
        for (const PeriodSpent& one : *spent) dollars.push_back(one.spent.nanos / dollar);
        return dollars;
    };
    EXPECT_THAT(dollars_of({.project = "default"}), ElementsAre(0, 6, 1));
    EXPECT_THAT(dollars_of({.scope = BudgetScope::tag, .value = "x"}), ElementsAre(0, 2, 1));
    EXPECT_THAT(dollars_of({.scope = BudgetScope::user, .value = "ann"}), ElementsAre(0, 4, 1));
    EXPECT_THAT(dollars_of({.scope = BudgetScope::user}), ElementsAre(0, 6, 1));
    EXPECT_THAT(dollars_of({.project = "shop"}), ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace obs::alert
