#include "catalog/anomaly_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr UnixNanos noon{1'800'000'000'000'000'000};
constexpr UnixNanos at(std::int64_t minutes) {
    return noon + Nanos::seconds(60 * minutes);
}

Anomaly anomaly(std::string id, std::int64_t began, std::optional<std::int64_t> ended = {}) {
    Anomaly one{
        .id = std::move(id), .org = "acme", .project = "shop", .dimension = "model", .value = "gpt-4o"};
    one.severity = AnomalySeverity::high;
    one.began = at(began);
    if (ended) one.ended = at(*ended);
    one.worst = at(began);
    one.window = Nanos::seconds(60);
    one.measured = 2.5;
    one.usual = 0.5;
    one.deviation = 9.25;
    one.calls = 50;
    return one;
}

std::vector<std::string> ids(const Listed<Anomaly>& listed) {
    std::vector<std::string> found;
    for (const Anomaly& one : listed.items) found.push_back(one.id);
    return found;
}

AnomalyQuestion everything() {
    AnomalyQuestion question(Scope("acme", {}));
    question.from = at(-100'000);
    question.to = at(100'000);
    return question;
}

class AnomalyLogTest : public testing::TestWithParam<Backend> {
protected:
    std::unique_ptr<AnomalyLog> load(std::string source = "here") {
        auto log = AnomalyLog::load(catalog_, std::move(source));
        EXPECT_TRUE(log) << log.error().message;
        return std::move(*log);
    }
    CatalogBed bed_{GetParam()};
    Catalog catalog_ = bed_.open();
};
INSTANTIATE_TEST_SUITE_P(Backends, AnomalyLogTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(AnomalyLogTest, whatHappenedAndWhatLastsSurvivesARestart) {
    Anomaly first = anomaly("first", 0), second = anomaly("second", 10);
    second.metric = AnomalyMetric::error_rate;
    second.value = "o'brien; DROP TABLE anomalies";
    {
        const auto log = load();
        ASSERT_TRUE(log->put(first));
        ASSERT_TRUE(log->put(second));
        first.severity = AnomalySeverity::critical;
        first.measured = 7;
        first.ended = at(5);
        ASSERT_TRUE(log->put(first));
    }
    const auto log = load();
    EXPECT_THAT(log->list(everything(), {}).items, ElementsAre(second, first));
    EXPECT_THAT(log->lasting(), ElementsAre(second));
    EXPECT_THAT(log->lasting(at(5)), ElementsAre(first, second));
    EXPECT_THAT(log->lasting(at(6)), ElementsAre(second));
    EXPECT_THAT(load("another directory")->list(everything(), {}).items, IsEmpty());
}

TEST_P(AnomalyLogTest, whatEndedLongAgoIsForgotten) {
    const auto log = load();
    ASSERT_TRUE(log->put(anomaly("old", -100, -50)));
    ASSERT_TRUE(log->put(anomaly("lasting", -100)));
    ASSERT_TRUE(log->put(anomaly("new", -20, -10)));
    ASSERT_TRUE(log->forget(at(-30)));
    EXPECT_THAT(ids(log->list(everything(), {})), ElementsAre("new", "lasting"));
    EXPECT_THAT(ids(load()->list(everything(), {})), ElementsAre("new", "lasting"));
}

TEST_P(AnomalyLogTest, whatTheCatalogDidNotTakeIsWrittenLater) {
    const auto log = load();
    bed_.run_sql("ALTER TABLE anomalies RENAME TO away");
    EXPECT_FALSE(log->put(anomaly("first", 0)));
    EXPECT_FALSE(log->save());
    EXPECT_THAT(ids(log->list(everything(), {})), ElementsAre("first"));
    bed_.run_sql("ALTER TABLE away RENAME TO anomalies");
    ASSERT_TRUE(log->save());
    EXPECT_THAT(ids(load()->list(everything(), {})), ElementsAre("first"));
}

struct ListCase {
    std::string_view what;
    std::function<void(AnomalyQuestion&)> ask;
    std::vector<std::string> found;
};
class AnomalyList : public testing::TestWithParam<ListCase> {};

TEST_P(AnomalyList, hasWhatMatches) {
    const CatalogBed bed(Backend::sqlite);
    Catalog catalog = bed.open();
    const auto log = AnomalyLog::load(catalog, "here").value();
    Anomaly tokens = anomaly("tokens", 10);
    tokens.metric = AnomalyMetric::tokens;
    tokens.severity = AnomalySeverity::low;
    Anomaly service = anomaly("service", 20, 25);
    service.dimension = "service";
    service.value = "checkout";
    Anomaly elsewhere = anomaly("elsewhere", 30);
    elsewhere.project = "lab";
    Anomaly foreign = anomaly("foreign", 40);
    foreign.org = "other";
    for (const Anomaly& one : {anomaly("cost", 0, 5), tokens, service, elsewhere, foreign})
        ASSERT_TRUE(log->put(one));
    AnomalyQuestion question = everything();
    GetParam().ask(question);
    EXPECT_EQ(ids(log->list(question, {})), GetParam().found);
}

INSTANTIATE_TEST_SUITE_P(
    Questions, AnomalyList,
    testing::Values(
        ListCase{"everything_newest_first", [](auto&) {}, {"elsewhere", "service", "tokens", "cost"}},
        ListCase{
            "one_project", [](auto& q) { q.scope = Scope("acme", {"shop"}); }, {"service", "tokens", "cost"}},
        ListCase{"what_lasted_in_the_window",
                 [](auto& q) {
                     q.from = at(3);
                     q.to = at(15);
                 },
                 {"tokens", "cost"}},
        ListCase{"of_a_metric", [](auto& q) { q.metrics = {AnomalyMetric::tokens}; }, {"tokens"}},
        ListCase{"of_severities",
                 [](auto& q) { q.severities = {AnomalySeverity::low, AnomalySeverity::critical}; },
                 {"tokens"}},
        ListCase{"of_a_dimension", [](auto& q) { q.dimension = "service"; }, {"service"}},
        ListCase{"of_a_value", [](auto& q) { q.value = "checkout"; }, {"service"}},
        ListCase{"what_lasts", [](auto& q) { q.ended = false; }, {"elsewhere", "tokens"}},
        ListCase{"what_has_ended", [](auto& q) { q.ended = true; }, {"service", "cost"}}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(AnomalyPages, goOnWhereTheLastOneEnded) {
    const CatalogBed bed(Backend::sqlite);
    Catalog catalog = bed.open();
    const auto log = AnomalyLog::load(catalog, "here").value();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(log->put(anomaly(fmt::format("a{}", i), i)));
    const auto page = log->list(everything(), {.limit = 2, .offset = 2});
    EXPECT_EQ(page.total, 5);
    EXPECT_THAT(ids(page), ElementsAre("a2", "a1"));
    EXPECT_THAT(ids(log->list(everything(), {.limit = 2, .offset = 9})), IsEmpty());
}

}  // namespace
}  // namespace obs
