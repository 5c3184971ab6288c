#include "alert/anomalies.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alert/cost_anomalies.h"
#include "catalog/scratch.h"
#include "store/memory/memory_store.h"
#include "store/test_rows.h"

namespace obs::alert {
namespace {

using obs::test::noon;
using obs::test::TestRow;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Nanos step = Nanos::seconds(10);

class Live final : public query::LiveData {
public:
    std::uint64_t visible_seq() const override { return UINT64_MAX; }
    Running running(const Scope&, std::optional<TraceId>) const override { return {}; }
};

class Heard final : public LiveEvents {
public:
    void publish(LiveEvent event) override { events.push_back(std::move(event)); }
    std::vector<LiveEvent> events;
};

// Calls that come evenly.
struct Traffic {
    int a_minute = 30;
    std::int64_t cost = 20'000'000;  // nano-dollars
    std::int64_t tokens = 1000, milliseconds = 2000;
    int failing = 0;  // one in so many; 0: none
    std::string model = "gpt-4o", service = "shop";
};

class Bed {
public:
    Bed() : log(AnomalyLog::load(catalog, "here").value()) {
        EXPECT_TRUE(store.migrate());
        restart();
    }

    void restart() {
        anomalies = std::make_unique<Anomalies>(Anomalies::Options{.clock = [this] { return now; }}, catalog,
                                                *log, query::Figures(store, live, nullptr), &heard);
    }

    void send(const Traffic& traffic, UnixNanos from, UnixNanos to) {
        std::vector<TestRow> rows;
        const Nanos apart{Nanos::seconds(60).count / traffic.a_minute};
        for (UnixNanos at = from; at < to; at = at + apart) {
            TestRow row = obs::test::span(fmt::format("call {}", ++calls_));
            row.set("ts", at.since_epoch).set("org_id", std::string("default")).project("default");
            row.set("is_call", std::int64_t{1}).set("kind", std::string("llm"));
            row.model(traffic.model).set("service_name", traffic.service).cost(traffic.cost);
            row.set("total_tokens", traffic.tokens).set("duration", traffic.milliseconds * 1'000'000);
            if (traffic.failing > 0 && calls_ % traffic.failing == 0) row.set("status_code", std::int64_t{2});
            rows.push_back(std::move(row.seq(static_cast<std::uint64_t>(calls_))));
        }
        // Of one day each.
        for (auto first = rows.begin(); first != rows.end();) {
            const auto day = day_of(first->ts());
            const auto last =
                std::find_if(first, rows.end(), [&](const auto& row) { return day_of(row.ts()) != day; });
            const auto written =
                store.write(obs::test::batch_of({first, last}), fmt::format("w{}", ++writes_));
            ASSERT_TRUE(written) << written.error().message;
            first = last;
        }
    }

    // As time goes by.
    void pass(Nanos time, const Traffic& traffic) {
        for (const UnixNanos end = now + time; now < end;) {
            send(traffic, now, now + step);
            now = now + step;
            const auto looked = anomalies->look({});
            ASSERT_TRUE(looked) << looked.error().message;
        }
    }

    std::vector<Anomaly> found(std::vector<AnomalyMetric> metrics = {}) const {
        AnomalyQuestion question(Scope("default", {}));
        question.from = {0};
        question.to = now + Nanos::days(1);
        question.metrics = std::move(metrics);
        return log->list(question, {.limit = 1000}).items;
    }
    // `cost of model gpt-4o`
    std::vector<std::string> names(std::vector<AnomalyMetric> metrics = {}) const {
        std::vector<std::string> all;
        for (const Anomaly& one : found(std::move(metrics)))
            all.push_back(fmt::format("{} of {} {}", name_of(one.metric), one.dimension, one.value));
        return all;
    }

    UnixNanos now = noon;
    Scratch scratch;
    Catalog catalog = Catalog::open(scratch.path() / "catalog.sqlite", Migrations::apply).value();
    MemoryStore store;
    Live live;
    Heard heard;
    std::unique_ptr<AnomalyLog> log;
    std::unique_ptr<Anomalies> anomalies;

private:
    int calls_ = 0, writes_ = 0;
};

struct SpikeCase {
    std::string_view what;
    Traffic traffic;
    std::vector<AnomalyMetric> metrics;
};
class Spikes : public testing::TestWithParam<SpikeCase> {};

TEST_P(Spikes, areFoundWithinAMinuteOnceForEachWhoseCallsTheyAre) {
    Bed bed;
    bed.send({}, noon - Nanos::hours(6), noon);
    bed.pass(Nanos::seconds(300), {});
    EXPECT_THAT(bed.names(), IsEmpty());
    const UnixNanos began = bed.now;
    bed.pass(Nanos::seconds(60), GetParam().traffic);
    std::vector<std::string> expected;
    for (const AnomalyMetric metric : GetParam().metrics)
        for (const char* whose : {"project default", "model gpt-4o", "service shop"})
            expected.push_back(fmt::format("{} of {}", name_of(metric), whose));
    EXPECT_THAT(bed.names(), testing::UnorderedElementsAreArray(expected));
    for (const Anomaly& one : bed.found()) {
        EXPECT_GT(one.began, began);
        EXPECT_FALSE(one.ended);
        EXPECT_GE(one.severity, AnomalySeverity::medium);
    }
    EXPECT_EQ(bed.heard.events.size(), expected.size());
    // However long it lasts.
    bed.pass(Nanos::seconds(600), GetParam().traffic);
    EXPECT_EQ(bed.found().size(), expected.size());
    bed.pass(Nanos::seconds(1500), {});
    EXPECT_THAT(bed.log->lasting(), IsEmpty());
    EXPECT_EQ(bed.found().size(), expected.size());
}

INSTANTIATE_TEST_SUITE_P(
    Metrics, Spikes,
    testing::Values(SpikeCase{"of_calls", {.a_minute = 150}, {AnomalyMetric::cost, AnomalyMetric::tokens}},
                    SpikeCase{"of_prices", {.cost = 100'000'000}, {AnomalyMetric::cost}},
                    SpikeCase{"of_tokens", {.tokens = 5000}, {AnomalyMetric::tokens}},
                    SpikeCase{"of_latency", {.milliseconds = 20'000}, {AnomalyMetric::latency}},
                    SpikeCase{"of_errors", {.failing = 2}, {AnomalyMetric::error_rate}}),
    [](const auto& test) { return std::string(test.param.what); });

struct CalmCase {
    std::string_view what;
    Nanos history;
    Traffic before, now;
};
class Calm : public testing::TestWithParam<CalmCase> {};

TEST_P(Calm, raisesNothing) {
    Bed bed;
    if (GetParam().history > Nanos{}) bed.send(GetParam().before, noon - GetParam().history, noon);
    bed.pass(Nanos::seconds(1200), GetParam().now);
    EXPECT_THAT(bed.names(), IsEmpty());
    EXPECT_THAT(bed.heard.events, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Traffic, Calm,
    testing::Values(CalmCase{"a_flat_series", Nanos::hours(6), {}, {}},
                    CalmCase{"a_few_days_of_it", Nanos::hours(5 * 24), {.a_minute = 6}, {.a_minute = 6}},
                    CalmCase{"a_dip", Nanos::hours(6), {.a_minute = 60}, {.a_minute = 4}},
                    CalmCase{"no_history", {}, {}, {.a_minute = 100}},
                    CalmCase{"too_little_history", Nanos::hours(2), {}, {.a_minute = 100}},
                    CalmCase{"a_trickle",
                             Nanos::hours(20),
                             {.a_minute = 2, .cost = 10'000},
                             {.a_minute = 6, .cost = 10'000}},
                    CalmCase{"a_new_model", Nanos::hours(6), {}, {.model = "gpt-5", .service = "shop"}}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Anomalies, goOnAfterARestart) {
    Bed bed;
    bed.send({}, noon - Nanos::hours(6), noon);
    bed.pass(Nanos::seconds(60), {});
    bed.pass(Nanos::seconds(60), {.cost = 100'000'000});
    const std::vector<Anomaly> before = bed.found();
    ASSERT_EQ(before.size(), 3U);
    bed.restart();
    bed.pass(Nanos::seconds(60), {.cost = 100'000'000});
    EXPECT_EQ(bed.found().size(), 3U);
    EXPECT_EQ(bed.log->lasting().size(), 3U);
    bed.pass(Nanos::seconds(1500), {});
    EXPECT_THAT(bed.log->lasting(), IsEmpty());
    EXPECT_EQ(bed.found().size(), 3U);
}

TEST(Anomalies, tellWhoListens) {
    Bed bed;
    bed.send({}, noon - Nanos::hours(6), noon);
    bed.pass(Nanos::seconds(60), {});
    bed.pass(Nanos::seconds(60), {.cost = 100'000'000});
    bed.pass(Nanos::seconds(1500), {});
    std::map<std::string, int> states;
    for (const LiveEvent& event : bed.heard.events) {
        EXPECT_EQ(event.type, LiveEventType::cost_threshold);
        EXPECT_EQ(event.org, "default");
        EXPECT_EQ(event.project, "default");
        EXPECT_NE(event.data.find(R"("metric_name":"cost")"), std::string::npos) << event.data;
        for (const char* state : {"opened", "updated", "ended"})
            states[state] += event.data.contains(fmt::format(R"("state":"{}")", state)) ? 1 : 0;
    }
    EXPECT_EQ(states["opened"], 3);
    EXPECT_EQ(states["ended"], 3);
    EXPECT_LE(states["updated"], 6);
}

TEST(Anomalies, ofCostsStandInAnswersAboutCosts) {
    Bed bed;
    bed.send({}, noon - Nanos::hours(6), noon);
    bed.pass(Nanos::seconds(120), {.a_minute = 150});
    std::vector<std::string> whose;
    for (const query::CostAnomaly& one :
         cost_anomalies(*bed.log, Scope("default", {}), noon, bed.now + step)) {
        whose.push_back(one.dimension + " " + one.value);
        EXPECT_GT(one.cost.nanos, 3 * one.expected.nanos);
        EXPECT_GE(one.deviation, 5);
    }
    EXPECT_THAT(whose, UnorderedElementsAre("project default", "model gpt-4o", "service shop"));
    EXPECT_THAT(cost_anomalies(*bed.log, Scope("default", {"another"}), noon, bed.now + step), IsEmpty());
    EXPECT_THAT(cost_anomalies(*bed.log, Scope("other", {}), noon, bed.now + step), IsEmpty());
}

TEST(Anomalies, haveABound) {
    Bed bed;
    for (int i = 0; i < 2'100; ++i)
        bed.send({.a_minute = 1, .model = fmt::format("m{}", i), .service = "s"}, bed.now,
                 bed.now + Nanos{1});
    bed.now = bed.now + Nanos::seconds(30);
    ASSERT_TRUE(bed.anomalies->look({}));
    EXPECT_EQ(bed.anomalies->stats().series, Anomalies::most_series);
}

}  // namespace
}  // namespace obs::alert
