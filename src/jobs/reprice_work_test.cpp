#include "jobs/reprice_work.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/known_prices.h"
#include "catalog/scratch.h"
#include "store/memory/memory_store.h"
#include "store/test_rows.h"

namespace obs::jobs {
namespace {

using obs::test::batch_of;
using obs::test::span;
using obs::test::TestRow;
using testing::HasSubstr;

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

// 10 and 5 tokens of a model that nobody has a price for.
TestRow call(std::string_view name) {
    return span(name).provider("acme").model("house-1").tokens(10, 5).set("is_call", std::int64_t{1});
}
TestRow priced(std::string_view name, std::int64_t cost, std::string_view rule) {
    return call(name).cost(cost).set("cost_source", "server").set("price_rule", std::string(rule));
}

class RepriceTest : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(store_.migrate()); }
    void write(std::vector<TestRow> rows) {
        for (TestRow& row : rows) {
            row.set("org_id", "acme").seq(++seq_);
            if (row.get("project_id") == nullptr) row.project("p");
        }
        ASSERT_TRUE(store_.write(batch_of(rows), fmt::format("w{}", seq_)));
    }
    void set_price(std::string_view entry, std::string_view project = "", std::string_view name = "set/1") {
        sets_.push_back({"acme", std::string(project),
                         UserPrices::parse(fmt::format("{{\"prices\":[{}]}}", entry), name).value()});
        board_.set(sets_, {});
    }
    RepriceAsked asked() const {
        return {.scope = Scope("acme", projects_), .window = {}, .providers = {}, .models = models_};
    }
    RepriceDiff diff() {
        return reprice(store_, reprice_question(asked()), board_, Reader::question, {}, {}, {}).value();
    }
    Job taken() {
        Job job;
        job.org = "acme";
        job.kind = "reprice";
        job.data = "here";
        job.up_to_seq = seq_;
        job.created = now;
        EXPECT_TRUE(jobs_.add(job, 10));
        return again();
    }
    Job again() {
        at_ = at_ + Nanos::days(1);
        return jobs_.take("here", "me", at_, at_ + Nanos::seconds(1)).value().value();
    }
    Result<JobEnd> run(const Job& job, std::stop_token stop = {}) {
        RepriceWork work({.store = store_,
                          .jobs = jobs_,
                          .prices = board_,
                          .plan = [this](const Job&) -> Result<RepriceAsked> { return asked(); },
                          .change = [this](Amendments amendments) -> Result<void> {
                              ++amended_;
                              if (fail_amending_) return fail(ErrorKind::unavailable, "away");
                              return store_.amend(amendments);
                          },
                          .changed = [this] { ++told_; }});
        return work.run(job, progress_, {.stop = std::move(stop)});
    }
    // `name cost rule` of each span, by name.
    std::string costs() {
        RowQuestion question(Scope("acme", {}));
        question.order = {{obs::test::field("span_name"), false}};
        const SpanBatch rows = std::get<SpanBatch>(store_.rows(question, {}).value().batch);
        std::string text;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            const auto cost = rows.total_cost[row];
            text +=
                fmt::format("{} {} {} {}\n", rows.span_name[row], cost ? std::to_string(cost->nanos) : "-",
                            rows.cost_source[row], rows.price_rule[row]);
        }
        return text;
    }

    Scratch scratch_;
    Catalog catalog_ = Catalog::open(scratch_.path() / "catalog", Migrations::apply).value();
    Jobs jobs_{catalog_};
    MemoryStore store_;
    PriceBoard board_{PriceTable::load().value()};
    std::vector<PriceBoard::Set> sets_;
    std::vector<std::string> projects_, models_;
    std::uint64_t seq_ = 0;
    UnixNanos at_ = now;
    Progress progress_;
    int amended_ = 0, told_ = 0;
    bool fail_amending_ = false;
};

TEST_F(RepriceTest, saysWhatCallsWouldCost) {
    using namespace std::chrono_literals;
    write({call("a"), priced("b", 7, "old"), call("d").model("other"),
           span("wrapper").set("rollup_prompt_tokens", std::int64_t{10}), call("e").model("x")});
    write({call("c").at(24h)});
    set_price(R"({"model":"house-*","input":2,"output":4})");
    const RepriceDiff found = diff();
    // 10 tokens at 2 and 5 at 4 dollars a million: 40 millionths of a dollar.
    EXPECT_EQ(found.total, (RepriceSums{.calls = 5,
                                        .changed = 3,
                                        .before = Usd{7},
                                        .after = Usd{120'000},
                                        .unpriced_before = 4,
                                        .unpriced_after = 2}));
    EXPECT_EQ(found.parts.size(), 4u);
    const auto day = parse_rfc3339("2026-01-09").value();
    EXPECT_EQ(found.parts.at({"p", "acme", "house-1", day}).calls, 2);
    std::string json;
    JsonWriter writer(json);
    writer.begin_object();
    write_diff(writer, found, 1);
    writer.end_object();
    EXPECT_THAT(json, HasSubstr(R"("model":"house-1","day":"2026-01-09","calls":2,"changed":2)"));
    EXPECT_THAT(json, HasSubstr(R"("parts_left_out":3)"));
    EXPECT_EQ(costs().substr(0, 6), "a -  \n") << "nothing is changed";
}

TEST_F(RepriceTest, looksAtWhatWasAskedForAlone) {
    write({call("a"), call("b").model("other"), call("c").model("").set("request_model", "house-1"),
           call("d").project("q")});
    models_ = {"house-1"};
    EXPECT_EQ(diff().total.calls, 3);
    projects_ = {"q"};
    EXPECT_EQ(diff().total.calls, 1);
}

TEST_F(RepriceTest, hasTheServersPriceBeforeTheClientsClaim) {
    write(
        {call("a").set("client_cost", std::int64_t{11}).cost(11).set("cost_source", "client"),
         call("b").model("other").set("client_cost", std::int64_t{12}).cost(12).set("cost_source", "client"),
         priced("c", 7, "gone").model("other").set("client_cost", std::int64_t{13}),
         priced("d", 7, "gone").model("other")});
    set_price(R"({"model":"house-1","input":0.001,"output":0})");
    ASSERT_TRUE(run(taken()));
    EXPECT_EQ(costs(), "a 10 server set/1:*/house-1\nb 12 client \nc 13 client \nd -  \n");
}

TEST_F(RepriceTest, asksForTheServiceThatTheOldRuleNames) {
    write({priced("a", 7, "old:acme/house-1@2025-01-01+batch"), priced("b", 7, "old:acme/house-1")});
    set_price(R"({"model":"house-1","input":0.002},{"model":"house-1","service":"batch","input":0.001})");
    ASSERT_TRUE(run(taken()));
    EXPECT_EQ(costs(), "a 10 server set/1:*/house-1+batch\nb 20 server set/1:*/house-1\n");
}

TEST_F(RepriceTest, usesThePricesOfEachProject) {
    write({call("a"), call("b").project("q")});
    set_price(R"({"model":"house-1","input":0.001})");
    set_price(R"({"model":"house-1","input":0.003})", "q", "set/2");
    ASSERT_TRUE(run(taken()));
    EXPECT_EQ(costs(), "a 10 server set/1:*/house-1\nb 30 server set/2:*/house-1\n");
    EXPECT_EQ(amended_, 2) << "one for each project";
}

TEST_F(RepriceTest, keepsWhatWasPlannedAndWhatIsStored) {
    write({call("a"), call("b")});
    set_price(R"({"model":"house-1","input":0.001})");
    const auto end = run(taken());
    ASSERT_TRUE(end) << end.error().message;
    EXPECT_EQ(end->rows, 2);
    EXPECT_THAT(reprice_result(end->result, "planned"), HasSubstr(R"("calls":2,"changed":2)"));
    EXPECT_THAT(reprice_result(end->result, "stored"), HasSubstr(R"("calls":2,"changed":0)"));
    EXPECT_EQ(told_, 1);
    const auto second = run(taken());
    ASSERT_TRUE(second);
    EXPECT_EQ(second->rows, 0) << "done twice it changes nothing";
    EXPECT_EQ(told_, 1);
}

TEST_F(RepriceTest, goesOnWithThePlanOfTheFirstTry) {
    write({call("a")});
    set_price(R"({"model":"house-1","input":0.001})");
    const Job job = taken();
    fail_amending_ = true;
    EXPECT_FALSE(run(job));
    EXPECT_EQ(told_, 1) << "nobody knows what was changed";
    fail_amending_ = false;
    write({call("later")});
    const auto end = run(again());
    ASSERT_TRUE(end) << end.error().message;
    EXPECT_THAT(reprice_result(end->result, "planned"), HasSubstr(R"("calls":1,"changed":1)"));
    EXPECT_EQ(costs(), "a 10 server set/1:*/house-1\nlater 10 server set/1:*/house-1\n");
}

TEST_F(RepriceTest, endsWhenItIsCancelled) {
    write({call("a")});
    set_price(R"({"model":"house-1","input":0.001})");
    std::stop_source stop;
    stop.request_stop();
    const auto end = run(taken(), stop.get_token());
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().kind, ErrorKind::cancelled);
    EXPECT_EQ(amended_, 0);
}

TEST(RepriceDiff, isBounded) {
    RepriceDiff diff;
    const int parts = static_cast<int>(RepriceDiff::most_parts) + 10;
    for (int i = 0; i < parts; ++i) diff.add({"p", "acme", fmt::format("m{}", i), now}, {.calls = 1});
    EXPECT_EQ(diff.parts.size(), RepriceDiff::most_parts + 1);
    EXPECT_EQ(diff.parts.at({}).calls, 10);
    EXPECT_EQ(diff.total.calls, parts);
}

}  // namespace
}  // namespace obs::jobs
