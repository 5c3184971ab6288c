// GET /api/v1/anomalies.
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

Anomaly anomaly(std::string id, AnomalyMetric metric = AnomalyMetric::cost) {
    Anomaly one{.id = std::move(id), .org = "acme", .project = "main", .metric = metric};
    one.dimension = "model";
    one.value = "gpt-4o";
    one.severity = AnomalySeverity::high;
    one.began = one.worst = now - Nanos::seconds(600);
    one.window = Nanos::seconds(60);
    one.measured = 0.5;
    one.usual = 0.1;
    one.deviation = 7.5;
    one.calls = 42;
    return one;
}

std::string ids(const Answer& answer) {
    std::string found;
    for (int at = 0;; ++at) {
        const std::string id = answer.at(fmt::format("/anomalies/{}/id", at));
        if (id.empty()) return found;
        found += (found.empty() ? "" : " ") + id.substr(1, id.size() - 2);
    }
}

class AnomalyRoute : public testing::Test {
protected:
    AnomalyRoute() {
        Anomaly tokens = anomaly("tokens", AnomalyMetric::tokens);
        tokens.began = now - Nanos::seconds(300);
        tokens.severity = AnomalySeverity::low;
        Anomaly service = anomaly("service", AnomalyMetric::latency);
        service.began = now - Nanos::seconds(100);
        service.dimension = "service";
        service.value = "checkout";
        service.ended = now - Nanos::seconds(50);
        Anomaly foreign = anomaly("foreign");
        foreign.org = "other";
        Anomaly elsewhere = anomaly("elsewhere");
        elsewhere.project = "lab";
        elsewhere.began = now - Nanos::seconds(900);
        for (const Anomaly& one : {anomaly("cost"), tokens, service, foreign, elsewhere})
            EXPECT_TRUE(api.anomalies->put(one));
    }
    TestApi api;
};

TEST_F(AnomalyRoute, showsWhatHappenedNewestFirst) {
    const Answer answer = api.get("/api/v1/anomalies", "viewer");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(ids(answer), "service tokens cost");
    EXPECT_EQ(answer.at("/anomalies/2"),
              R"({"id":"cost","project_id":"main","metric":"cost","unit":"USD","dimension":"model",)"
              R"("value":"gpt-4o","severity":"high","status":"open","started_at":"2026-01-09T12:50:00Z",)"
              R"("worst_at":"2026-01-09T12:50:00Z","window_seconds":60,"measured":0.5,"expected":0.1,)"
              R"("deviation":7.5,"calls":42})");
    EXPECT_EQ(answer.at("/anomalies/0/ended_at"), "\"2026-01-09T12:59:10Z\"");
    EXPECT_EQ(answer.at("/pagination"), R"({"total":3,"limit":50,"offset":0,"has_more":false})");
    EXPECT_EQ(ids(api.get("/api/v1/anomalies")), "service tokens cost elsewhere");
}

struct AskCase {
    std::string what, query, found;
};
class AnomalyQueries : public AnomalyRoute, public testing::WithParamInterface<AskCase> {};
TEST_P(AnomalyQueries, findWhatMatches) {
    const Answer answer = api.get("/api/v1/anomalies?" + GetParam().query);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(ids(answer), GetParam().found);
}
INSTANTIATE_TEST_SUITE_P(Queries, AnomalyQueries,
                         testing::Values(AskCase{"a_metric", "metric=cost", "cost elsewhere"},
                                         AskCase{"metrics", "metric=latency,tokens", "service tokens"},
                                         AskCase{"a_dimension", "dimension=service", "service"},
                                         AskCase{"a_value", "value=checkout", "service"},
                                         AskCase{"severities", "severity=low,critical", "tokens"},
                                         AskCase{"what_lasts", "status=open", "tokens cost elsewhere"},
                                         AskCase{"what_has_ended", "status=ended", "service"},
                                         AskCase{"a_project", "project_id=lab", "elsewhere"},
                                         AskCase{"a_window", "from=now-9d&to=now-8d", ""},
                                         AskCase{"a_page", "limit=1&offset=1", "tokens"},
                                         AskCase{"no_sql", "value=%27%20OR%201%3D1--", ""}),
                         [](const auto& test) { return test.param.what; });

struct BadCase {
    std::string what, query;
};
class BadAnomalyQueries : public AnomalyRoute, public testing::WithParamInterface<BadCase> {};
TEST_P(BadAnomalyQueries, areRefused) {
    const Answer answer = api.get("/api/v1/anomalies?" + GetParam().query);
    EXPECT_EQ(answer.status, 400) << answer.body;
}
INSTANTIATE_TEST_SUITE_P(Queries, BadAnomalyQueries,
                         testing::Values(BadCase{"metric", "metric=weather"},
                                         BadCase{"severity", "severity=9"},
                                         BadCase{"dimension", "dimension=user"},
                                         BadCase{"status", "status=maybe"}, BadCase{"limit", "limit=100000"},
                                         BadCase{"window", "from=now-900d"}),
                         [](const auto& test) { return test.param.what; });

TEST_F(AnomalyRoute, tellsNobodyOfCostsWhoMayNotSeeThem) {
    EXPECT_EQ(api.get("/api/v1/anomalies", "billing").status, 403);
    TestAccounts accounts(now);
    ASSERT_TRUE(Accounts(*accounts.catalog).create_role("default", "watcher", {"read:alerts"}, now));
    const std::string token = accounts.sign_in_as("w@example.org", "watcher", {"default"});
    TestApi other({}, nullptr, &accounts);
    for (const AnomalyMetric metric : {AnomalyMetric::cost, AnomalyMetric::tokens}) {
        Anomaly one = anomaly(std::string(name_of(metric)), metric);
        one.org = one.project = "default";
        ASSERT_TRUE(other.anomalies->put(one));
    }
    EXPECT_EQ(ids(other.get("/api/v1/anomalies", token)), "tokens");
    EXPECT_EQ(other.get("/api/v1/anomalies?metric=cost", token).status, 403);
}

}  // namespace
}  // namespace obs::serve::test
