// GET /api/v1/logs, /api/v1/metric-points and /api/v1/audit over a store in memory.
#include <chrono>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"
#include "text/tokeniser.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;

TestRow log(std::string_view body) {
    std::string terms;
    Tokeniser().append_index_terms(body, terms);
    return obs::test::log(body).set("search_text", terms).set("service_name", "shop");
}
TestRow point(std::string_view name) {
    return TestRow(TableId::metric_points)
        .at(0s)
        .set("metric_name", std::string(name))
        .set("service_name", "shop");
}
TestRow call(std::string_view user) {
    return TestRow(TableId::audit).at(0s).set("user_id", std::string(user)).set("action", "read");
}

std::string encoded(std::string_view cursor) {
    std::string text;
    for (const char c : cursor)
        text += c == '+' ? "%2B" : c == '=' ? "%3D" : c == '/' ? "%2F" : std::string(1, c);
    return text;
}

// One member of each row, in order.
std::string members(const Answer& answer, std::string_view name) {
    std::string text;
    for (int row = 0;; ++row) {
        const std::string value = answer.at(fmt::format("/data/{}/{}", row, name));
        if (value.empty()) return text;
        text += (text.empty() ? "" : " ") + value.substr(1, value.size() - 2);
    }
}

struct ListCase {
    std::string what, query, bodies;
};
class LogList : public testing::TestWithParam<ListCase> {};
TEST_P(LogList, showsTheRecordsThatMatch) {
    TestApi api;
    api.write({log("one").at(1s).set("severity_number", std::int64_t{9}).set("environment", "prod"),
               log("two refunds").at(2s).set("severity_number", std::int64_t{17}).set("event_name", "paid"),
               log("three").at(3s).set("severity_text", "WARN").set("service_name", "bot")});
    const Answer answer = api.get("/api/v1/logs?" + GetParam().query);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(members(answer, "body"), GetParam().bodies);
}
INSTANTIATE_TEST_SUITE_P(
    Queries, LogList,
    testing::Values(ListCase{"newest_first", "", "three two refunds one"},
                    ListCase{"oldest_first", "sort_order=asc", "one two refunds three"},
                    ListCase{"window", "from=2026-01-09T12:00:02Z&to=2026-01-09T12:00:03Z", "two refunds"},
                    ListCase{"service", "service_name=shop", "two refunds one"},
                    ListCase{"services", "service_name=shop,bot", "three two refunds one"},
                    ListCase{"severity_at_least", "min_severity=10", "two refunds"},
                    ListCase{"severity_text", "severity_text=WARN", "three"},
                    ListCase{"event", "event_name=paid", "two refunds"},
                    ListCase{"words", "search=refund", "two refunds"},
                    ListCase{"sorted", "sort_by=severity_number&sort_order=desc", "two refunds one three"},
                    ListCase{"limit", "limit=1", "three"}),
    [](const auto& test) { return test.param.what; });

TEST(LogList, keepsContentFromViewers) {
    TestApi api;
    api.write({log("secret").attribute("key", "secret")});
    const Answer answer = api.get("/api/v1/logs", "viewer");
    EXPECT_EQ(answer.at("/data/0/service_name"), "\"shop\"");
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    EXPECT_EQ(answer.at("/meta/content"), "\"hidden\"");
    EXPECT_EQ(api.get("/api/v1/logs?search=secret", "viewer").status, 403);
    EXPECT_EQ(api.get("/api/v1/logs", "billing").status, 403);
}

TEST(LogSearch, takesATreeOfConditions) {
    TestApi api;
    api.write({log("one").at(1s), log("two").at(2s).attribute("tier", "gold"), log("three").at(3s)});
    const auto ask = [&](std::string_view body) {
        return api.ask("POST", "/api/v1/logs/search", body, {{"authorization", "Bearer admin"}});
    };
    EXPECT_EQ(members(ask(R"({"filters":{"operator":"OR","conditions":[
        {"field":"body","operator":"starts_with","value":"on"},
        {"field":"attributes.tier","operator":"eq","value":"gold"}]}})"),
                      "body"),
              "two one");
    const Answer wrong = ask(R"({"filters":{"field":"model","operator":"eq","value":"x"}})");
    EXPECT_EQ(wrong.status, 400) << "a field of spans";
    EXPECT_EQ(wrong.at("/error/field"), "\"model\"");
}

TEST(MetricPoints, areListed) {
    TestApi api;
    api.write({point("tokens").at(1s).set("value", 1.5).attribute("model", "gpt"),
               point("latency").at(2s).set("count", std::int64_t{3}).set("metric_type", "histogram")});
    const Answer answer = api.get("/api/v1/metric-points");
    EXPECT_EQ(members(answer, "metric_name"), "latency tokens");
    EXPECT_EQ(answer.at("/data/1/value"), "1.5");
    EXPECT_EQ(answer.at("/data/0/count"), "3");
    EXPECT_EQ(members(api.get("/api/v1/metric-points?metric_name=tokens"), "metric_name"), "tokens");
    EXPECT_EQ(members(api.get("/api/v1/metric-points?metric_type=histogram"), "metric_name"), "latency");
    EXPECT_EQ(api.get("/api/v1/metric-points", "viewer").status, 200);
}

TEST(Audit, isForAdmins) {
    TestApi api;
    api.write({call("ann").at(1s), call("bob").at(2s).set("success", std::int64_t{1})});
    EXPECT_EQ(members(api.get("/api/v1/audit"), "user_id"), "bob ann");
    EXPECT_EQ(members(api.get("/api/v1/audit?success=true"), "user_id"), "bob");
    EXPECT_EQ(members(api.get("/api/v1/audit?user_id=ann"), "user_id"), "ann");
    for (const char* role : {"developer", "viewer", "billing"})
        EXPECT_EQ(api.get("/api/v1/audit", role).status, 403) << role;
}

struct WalkCase {
    std::string what, query;
    std::size_t times;  // different ones among the rows
};
class RecordWalk : public testing::TestWithParam<WalkCase> {};
// Whatever is alike and whatever arrives meanwhile: each row that was there at the beginning comes once.
TEST_P(RecordWalk, showsEachRowOnce) {
    TestApi api;
    std::mt19937 random(7);
    std::map<std::string, int> there;
    std::vector<TestRow> rows;
    for (int i = 0; i < 120; ++i) {
        const std::string name = fmt::format("p{}", i);
        ++there[name];
        rows.push_back(point(name)
                           .at(std::chrono::seconds(random() % GetParam().times))
                           .set("value", static_cast<double>(random() % 3)));
    }
    // Twice the very same row: both count.
    rows.push_back(rows.front());
    ++there["p0"];
    api.write(rows);
    std::map<std::string, int> shown;
    std::string cursor;
    for (int page = 0; page < 60; ++page) {
        const Answer answer = api.get("/api/v1/metric-points?limit=7&" + GetParam().query +
                                      (cursor.empty() ? "" : "&cursor=" + encoded(cursor)));
        ASSERT_EQ(answer.status, 200) << answer.body;
        for (int row = 0;; ++row) {
            const std::string name = answer.at(fmt::format("/data/{}/metric_name", row));
            if (name.empty()) break;
            ++shown[name.substr(1, name.size() - 2)];
        }
        api.write({point("late").at(std::chrono::seconds(random() % GetParam().times))});
        cursor = answer.cursor();
        if (cursor.empty()) break;
    }
    EXPECT_EQ(shown, there);
}
INSTANTIATE_TEST_SUITE_P(Orders, RecordWalk,
                         testing::Values(WalkCase{"all_at_once", "", 1}, WalkCase{"some_at_once", "", 10},
                                         WalkCase{"oldest_first", "sort_order=asc", 10},
                                         WalkCase{"by_value", "sort_by=value", 5},
                                         WalkCase{"by_value_ascending", "sort_by=value&sort_order=asc", 1},
                                         WalkCase{"all_different", "", 40'000}),
                         [](const auto& test) { return test.param.what; });

TEST(RecordWalk, refusesACursorOfAnotherQuestion) {
    TestApi api;
    api.write({log("one").at(1s), log("two").at(2s)});
    const std::string cursor = encoded(api.get("/api/v1/logs?limit=1").cursor());
    EXPECT_EQ(members(api.get("/api/v1/logs?limit=1&cursor=" + cursor), "body"), "one");
    EXPECT_EQ(api.get("/api/v1/logs?limit=1&service_name=shop&cursor=" + cursor).status, 400);
    EXPECT_EQ(api.get("/api/v1/metric-points?limit=1&cursor=" + cursor).status, 400);
}

}  // namespace
}  // namespace obs::serve::test
