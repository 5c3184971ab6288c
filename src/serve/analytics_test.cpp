// Figures as the API gives them, on the store in memory: exact numbers.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve {
namespace {

using namespace std::chrono_literals;
using obs::test::span;
using test::Answer;
using test::TestApi;
using test::TestRow;
using testing::HasSubstr;

// A call that says everything; the clock of the API stands one hour after noon.
TestRow call(std::string_view name, std::chrono::nanoseconds at, std::string_view model,
             std::int64_t nano_dollars) {
    TestRow row = span(name);
    row.at(at).took(100ms).provider("openai").model(model).tokens(10, 5).cost(nano_dollars);
    row.set("prompt_cost", nano_dollars / 4).set("completion_cost", nano_dollars - nano_dollars / 4);
    return row.set("service_name", "shop").set("environment", "prod").user("ann");
}

class Analytics : public testing::Test {
protected:
    // Three priced calls of two models, one whose price nobody knows, one wrapper that repeats a call.
    void write_calls() {
        api.write({
            call("a", 1min, "gpt-4o", 1'000'000'000),
            call("b", 2min, "gpt-4o", 500'000'001),
            call("c", 62min - 5min, "mini", 3)
                .took(300ms)
                .user("bob")
                .set("status_code", std::int64_t{2})
                .set("error_code", "timeout")
                .set("error_message", "too slow"),
            span("d").at(3min).took(900ms).provider("other").model("new").tokens(100, 1).set(
                "ttft", std::int64_t{40'000'000}),
            span("wrapper")
                .at(1min)
                .took(10s)
                .model("gpt-4o")
                .set("is_call", std::int64_t{0})
                .set("kind", "llm")
                .set("rollup_cost", std::int64_t{9'000'000'000}),
        });
    }
    TestApi api;
};

TEST_F(Analytics, costsAreExactAndEveryBreakdownAddsUp) {
    write_calls();
    const Answer answer = api.get("/api/v1/analytics/costs?from=now-7d&group_by=model,provider");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/overview/total_cost"), "1.500000004");
    EXPECT_EQ(answer.at("/total_cost"), "1.500000004");
    EXPECT_EQ(answer.at("/overview/total_requests"), "4") << "the wrapper is no request";
    EXPECT_EQ(answer.at("/overview/unpriced_requests"), "1");
    EXPECT_EQ(answer.at("/overview/total_tokens"), "146");
    EXPECT_EQ(answer.at("/overview/avg_cost_per_request"), "0.5000000013333333");
    EXPECT_EQ(answer.at("/breakdown/0/model"), "\"gpt-4o\"");
    EXPECT_EQ(answer.at("/breakdown/0/provider"), "\"openai\"");
    EXPECT_EQ(answer.at("/breakdown/0/cost"), "1.500000001");
    EXPECT_EQ(answer.at("/breakdown/0/requests"), "2");
    EXPECT_EQ(answer.at("/breakdown/1/cost"), "3e-09");
    EXPECT_EQ(answer.at("/breakdown/2/model"), "\"new\"");
    EXPECT_EQ(answer.at("/breakdown/2/cost"), "") << "unknown is not 0";
    EXPECT_EQ(answer.at("/breakdown/2/unpriced_requests"), "1");
    EXPECT_EQ(answer.at("/breakdown/3"), "");
    EXPECT_EQ(answer.at("/by_user/0/name"), "\"ann\"");
    EXPECT_EQ(answer.at("/by_user/0/cost"), "1.500000001");
    EXPECT_EQ(answer.at("/by_user/2/name"), "\"\"") << "the call without a user";
    EXPECT_EQ(answer.at("/by_service/0/name"), "\"shop\"");
    EXPECT_EQ(answer.at("/by_service/0/percentage"), "100");
    EXPECT_EQ(answer.at("/metadata/data_source"), "\"raw\"");
    EXPECT_EQ(answer.at("/metadata/group_by/1"), "\"provider\"");
    EXPECT_EQ(answer.at("/time_series/7/timestamp"), "\"2026-01-09T00:00:00Z\"");
    EXPECT_EQ(answer.at("/time_series/7/total_cost"), "1.500000004");
    EXPECT_EQ(answer.at("/time_series/0/total_cost"), "0");
    EXPECT_EQ(answer.at("/time_series/8"), "");
    EXPECT_EQ(answer.at("/trends/daily/7/date"), "\"2026-01-09\"");
    EXPECT_EQ(answer.at("/trends/daily/7/cost"), "1.500000004");
    EXPECT_EQ(answer.at("/trends/weekly/1/date"), "\"2026-01-05\"");
    EXPECT_EQ(answer.at("/budget_alerts/0"), "");
}

TEST_F(Analytics, groupsThatAreCutAreSummedUp) {
    write_calls();
    const Answer answer = api.get("/api/v1/analytics/costs?from=now-1d&limit=1");
    EXPECT_EQ(answer.at("/by_model/1"), "");
    EXPECT_EQ(answer.at("/others/by_model/cost"), "3e-09");
    EXPECT_EQ(answer.at("/others/by_model/requests"), "2");
    EXPECT_EQ(answer.at("/others/by_provider/requests"), "1");
}

TEST_F(Analytics, costsOfNothingAreZero) {
    const Answer answer = api.get("/api/v1/analytics/costs");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/overview/total_cost"), "0");
    EXPECT_EQ(answer.at("/request_count"), "0");
    EXPECT_EQ(answer.at("/by_model/0"), "");
    EXPECT_EQ(answer.at("/overview/avg_cost_per_request"), "");
}

TEST_F(Analytics, daysAreThoseOfTheTimeZone) {
    api.write({call("late", -13h, "m", 5'000'000'000)});
    api.write({call("early", 0min, "m", 1'000'000'000)});
    const auto answer = [&](std::string_view zone) {
        return api.get(
            fmt::format("/api/v1/analytics/costs?from=2026-01-08T00:00:00Z&to=2026-01-10&timezone={}", zone));
    };
    EXPECT_EQ(answer("UTC").at("/time_series/0/total_cost"), "5");
    EXPECT_EQ(answer("UTC").at("/time_series/1/total_cost"), "1");
    EXPECT_EQ(answer("Europe/Berlin").at("/time_series/0/timestamp"), "\"2026-01-07T23:00:00Z\"");
    EXPECT_EQ(answer("Europe/Berlin").at("/time_series/0/total_cost"), "0")
        << "23 o'clock in London is tomorrow";
    EXPECT_EQ(answer("Europe/Berlin").at("/time_series/1/total_cost"), "6");
    EXPECT_EQ(answer("Mars/Olympus").status, 400);
    EXPECT_EQ(answer("Mars/Olympus").at("/error/field"), "\"timezone\"");
}

TEST_F(Analytics, performanceCountsCallsAlone) {
    write_calls();
    const Answer answer = api.get("/api/v1/analytics/performance?from=now-1h&interval=30min&group_by=model");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/request_count"), "4");
    EXPECT_EQ(answer.at("/avg_latency_ms"), "350");
    EXPECT_EQ(answer.at("/min_latency_ms"), "100");
    EXPECT_EQ(answer.at("/max_latency_ms"), "900");
    EXPECT_EQ(answer.at("/p50_latency_ms"), "200");
    EXPECT_NEAR(std::stod(answer.at("/p95_latency_ms")), 810, 1e-9);
    EXPECT_EQ(answer.at("/error_count"), "1");
    EXPECT_EQ(answer.at("/error_rate"), "0.25");
    EXPECT_EQ(answer.at("/total_tokens"), "146");
    EXPECT_EQ(answer.at("/ttft/p95_ms"), "40");
    EXPECT_EQ(answer.at("/ttft/count"), "1");
    EXPECT_EQ(answer.at("/throughput_rps"), "0.0011111111111111111");
    EXPECT_EQ(answer.at("/errors_by_type/0/error_type"), "\"timeout\"");
    EXPECT_EQ(answer.at("/errors_by_type/0/sample_message"), "\"too slow\"");
    EXPECT_EQ(answer.at("/time_series/0/request_count"), "3");
    EXPECT_EQ(answer.at("/time_series/0/p50_latency_ms"), "100");
    EXPECT_EQ(answer.at("/time_series/1/request_count"), "1");
    EXPECT_EQ(answer.at("/groups/0/model"), "\"gpt-4o\"");
    EXPECT_EQ(answer.at("/groups/0/request_count"), "2");
    EXPECT_EQ(answer.at("/metadata/percentiles"), "\"exact\"");
}

TEST_F(Analytics, latenciesOfNothingAreMissing) {
    const Answer answer = api.get("/api/v1/analytics/performance?from=now-1h");
    EXPECT_EQ(answer.at("/request_count"), "0");
    EXPECT_EQ(answer.at("/p95_latency_ms"), "");
    EXPECT_EQ(answer.at("/error_rate"), "");
}

TEST_F(Analytics, messagesAreForThoseWhoMayReadContent) {
    write_calls();
    const Answer answer = api.get("/api/v1/analytics/performance?from=now-1h", "viewer");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/errors_by_type/0/error_type"), "\"timeout\"");
    EXPECT_EQ(answer.at("/errors_by_type/0/sample_message"), "");
    EXPECT_EQ(api.get("/api/v1/analytics/costs?group_by=attributes.tier", "viewer").status, 403);
    EXPECT_EQ(api.get("/api/v1/analytics/costs?group_by=team", "viewer").status, 200);
}

TEST_F(Analytics, qualityKnowsSuccessScoresAndTruncation) {
    write_calls();
    api.write({call("cut", 4min, "gpt-4o", 1).set("stop_reason", "length"),
               call("full", 4min, "gpt-4o", 1).set("stop_reason", "stop")});
    api.write({obs::test::score("relevance").at(1min).set("value", 0.5).set("source", "LLM"),
               obs::test::score("relevance").at(2min).set("value", 1.0).set("source", "CODE"),
               obs::test::score("feedback").at(2min).set("value", 4.0).set("source", "HUMAN")});
    const Answer answer = api.get("/api/v1/analytics/quality?from=now-1h");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/total_requests"), "6");
    EXPECT_EQ(answer.at("/successful_requests"), "5");
    EXPECT_EQ(answer.at("/quality_scores/relevance"), "0.75");
    EXPECT_EQ(answer.at("/quality_scores/overall"), "0.75");
    EXPECT_EQ(answer.at("/avg_feedback_score"), "4");
    EXPECT_EQ(answer.at("/token_efficiency/truncated_rate"), "0.5");
    EXPECT_EQ(answer.at("/model_comparison/0/model"), "\"gpt-4o\"");
    EXPECT_EQ(answer.at("/model_comparison/0/success_rate"), "1");
}

TEST_F(Analytics, qualityKnowsMoodsAndCoherence) {
    const auto rated = [&](const char* name, double input, double output) {
        return call(name, 1min, "gpt-4o", 1).set("input_sentiment", input).set("output_sentiment", output);
    };
    api.write({rated("a", -0.9, 0.6).set("coherence", 0.25), rated("b", 0.05, 0.04),
               call("c", 2min, "gpt-4o", 1).set("coherence", 0.75), call("d", 2min, "gpt-4o", 1)});
    const Answer answer = api.get("/api/v1/analytics/quality?from=now-1h");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/sentiment/count"), "4");
    EXPECT_EQ(answer.at("/sentiment/positive"), "0.5");
    EXPECT_EQ(answer.at("/sentiment/neutral"), "0.25");
    EXPECT_EQ(answer.at("/sentiment/negative"), "0.25");
    EXPECT_EQ(answer.at("/sentiment/input/negative"), "0.5");
    EXPECT_EQ(answer.at("/sentiment/output/avg_score"), "0.32");
    EXPECT_EQ(answer.at("/quality_scores/coherence"), "0.5");
    EXPECT_EQ(answer.at("/quality_scores/overall"), "");
    api.write({obs::test::score("coherence").at(1min).set("value", 0.9).set("source", "LLM")});
    EXPECT_EQ(api.get("/api/v1/analytics/quality?from=now-1h").at("/quality_scores/coherence"), "0.9");
    const Answer empty = api.get("/api/v1/analytics/quality?from=now-1h&model=none");
    EXPECT_EQ(empty.at("/sentiment/count"), "0");
    EXPECT_EQ(empty.at("/sentiment/positive"), "") << "unknown, not 0";
}

TEST_F(Analytics, qualityKnowsWhatWasResolved) {
    const auto verdict = [](const char* trace) {
        return obs::test::score("resolved").trace(trace).at(1min).set("source", "HUMAN");
    };
    EXPECT_EQ(api.get("/api/v1/analytics/quality?from=now-1h").at("/resolution_rate"), "");
    api.write({verdict("t1").set("value", 1.0), verdict("t1").set("value", 0.0),  // once yes is yes
               verdict("t2").set("label", "no"), verdict("t3").set("label", "perhaps"),
               obs::test::score("resolution").set("session_id", "s1").at(1min).set("label", "yes"),
               obs::test::score("resolution").set("session_id", "s2").at(1min).set("value", 0.4)});
    const Answer answer = api.get("/api/v1/analytics/quality?from=now-1h");
    EXPECT_EQ(answer.at("/resolution_rate"), "0.5") << "t1 and s1, of t1, t2, s1, s2";
    EXPECT_EQ(answer.at("/avg_feedback_score"), "") << "no rating of people";
}

TEST_F(Analytics, modelsAreComparedByWhatWasAskedForToo) {
    write_calls();
    api.write(
        {call("snapshot", 5min, "gpt-4o-2024-08-06", 500'000'000).set("request_model", "gpt-4o").took(1s)});
    const Answer answer = api.get("/api/v1/models/compare?models=gpt-4o,mini,absent&from=now-7d");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/models/0/metrics/request_count"), "3");
    EXPECT_EQ(answer.at("/models/0/metrics/avg_latency_ms"), "400");
    EXPECT_EQ(answer.at("/models/1/metrics/error_rate"), "1");
    EXPECT_EQ(answer.at("/models/2/provider"), "\"N/A\"");
    EXPECT_EQ(answer.at("/models/2/metrics/request_count"), "0");
    EXPECT_EQ(answer.at("/summary/fastest_model"), "\"mini\"");
    EXPECT_EQ(answer.at("/summary/cheapest_model"), "\"mini\"");
    EXPECT_EQ(answer.at("/summary/most_reliable_model"), "\"gpt-4o\"");
    EXPECT_EQ(api.get("/api/v1/analytics/models/compare?models=gpt-4o,mini&metrics=cost")
                  .at("/models/0/metrics/avg_latency_ms"),
              "");
}

TEST_F(Analytics, aModelHasTheScoresOfItsTraces) {
    api.write({call("good", 1min, "gpt-4o", 1).trace("t1"), call("bad", 2min, "mini", 1).trace("t2")});
    api.write({obs::test::score("relevance").trace("t1").at(1min).set("value", 1.0).set("source", "LLM"),
               obs::test::score("toxicity").trace("t1").at(1min).set("value", 0.5).set("source", "LLM"),
               obs::test::score("stars").trace("t1").at(1min).set("value", 5.0).set("source", "LLM"),
               obs::test::score("relevance").trace("t2").at(2min).set("value", 0.25).set("source", "CODE")});
    const Answer compared = api.get("/api/v1/models/compare?models=gpt-4o,mini,none");
    EXPECT_EQ(compared.at("/models/0/metrics/quality_score"), "0.75");
    EXPECT_EQ(compared.at("/models/1/metrics/quality_score"), "0.25");
    EXPECT_EQ(compared.at("/models/2/metrics/quality_score"), "");
    const Answer quality = api.get("/api/v1/analytics/quality?from=now-1h");
    EXPECT_EQ(quality.at("/model_comparison/0/quality_score"), "0.75");
}

TEST_F(Analytics, metricsHaveARowForEachStep) {
    write_calls();
    const Answer answer = api.get(
        "/api/v1/"
        "metrics?metrics=request_count,total_cost,duration,error_rate,unique_users&from=now-1h&interval="
        "30min&include_percentiles=true");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/0/timestamp"), "\"2026-01-09T12:00:00Z\"");
    EXPECT_EQ(answer.at("/data/0/request_count"), "3");
    EXPECT_EQ(answer.at("/data/0/total_cost"), "1.500000001");
    EXPECT_EQ(answer.at("/data/0/duration"), "366.6666666666667");
    EXPECT_EQ(answer.at("/data/0/duration_p50"), "100");
    EXPECT_EQ(answer.at("/data/0/unique_users"), "1");
    EXPECT_EQ(answer.at("/data/1/error_rate"), "1");
    EXPECT_EQ(answer.at("/metadata/total_points"), "2");
}

TEST_F(Analytics, metricsAreGroupedAndAggregatedAsAsked) {
    write_calls();
    const Answer answer = api.get(
        "/api/v1/metrics?metrics=total_tokens,request_count&aggregation=max&group_by=model&from=now-1h");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/0/model"), "\"gpt-4o\"");
    EXPECT_EQ(answer.at("/data/0/total_tokens"), "15");
    EXPECT_EQ(answer.at("/data/2/total_tokens"), "101");
    EXPECT_EQ(answer.at("/data/2/request_count"), "1") << "a count is a count";
}

TEST_F(Analytics, theSummaryComparesWithThePeriodBefore) {
    write_calls();
    api.write({call("before", -30min, "gpt-4o", 750'000'002)});
    const Answer answer = api.get("/api/v1/metrics/summary?from=now-1h");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/current_period/total_requests"), "4");
    EXPECT_EQ(answer.at("/current_period/unique_users"), "2");
    EXPECT_EQ(answer.at("/previous_period/total_requests"), "1");
    EXPECT_EQ(answer.at("/changes/requests_change_pct"), "300");
    EXPECT_EQ(answer.at("/changes/cost_change_pct"), "100");
    EXPECT_EQ(answer.at("/changes/error_rate_change_pct"), "100");
    EXPECT_EQ(answer.at("/top_items/by_cost/0/model"), "\"gpt-4o\"");
    EXPECT_EQ(answer.at("/top_items/by_duration/0/model"), "\"new\"");
    EXPECT_EQ(answer.at("/quality/most_common_errors/0/error_type"), "\"timeout\"");
}

class MetricQuery : public Analytics {
protected:
    Answer query(std::string_view body) {
        return api.ask("POST", "/api/v1/metrics/query", body, {{"authorization", "Bearer developer"}});
    }
};

TEST_F(MetricQuery, filtersHavingAndOrder) {
    write_calls();
    const Answer answer = query(
        R"({"metrics":[{"metric":"total_cost","aggregation":"sum","alias":"spent"},{"metric":"request_count"}],
        "start_time":"now-1h","group_by":["model"],"filters":[{"dimension":"provider","operator":"in","value":["openai","other"]}],
        "having":[{"metric":"request_count","operator":"gte","value":1},{"metric":"total_cost","aggregation":"sum","operator":"gt","value":0}],
        "sort_by":{"field":"spent","descending":false},"limit":1})");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/0/model"), "\"mini\"");
    EXPECT_EQ(answer.at("/data/0/spent"), "3e-09");
    EXPECT_EQ(answer.at("/data/1"), "");
    EXPECT_EQ(answer.at("/metadata/total_rows"), "2");
    EXPECT_EQ(answer.at("/metadata/filters_applied"), "1");
    EXPECT_EQ(answer.at("/metadata/having_conditions"), "2");
}

struct BadQuery {
    std::string what, body, field;
};
class BadMetricQuery : public MetricQuery, public testing::WithParamInterface<BadQuery> {};
TEST_P(BadMetricQuery, namesTheMemberAtFault) {
    const Answer answer = query(GetParam().body);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), GetParam().field.empty() ? "" : "\"" + GetParam().field + "\"")
        << answer.body;
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, BadMetricQuery,
    testing::Values(
        BadQuery{"no_json", "{", ""}, BadQuery{"no_metrics", "{}", "metrics"},
        BadQuery{"unknown_metric", R"({"metrics":[{"metric":"love"}]})", "metrics"},
        BadQuery{"unknown_aggregation", R"({"metrics":[{"metric":"duration","aggregation":"p42"}]})",
                 "metrics"},
        BadQuery{"average_of_a_count", R"({"metrics":[{"metric":"request_count","aggregation":"p95"}]})",
                 "metrics"},
        BadQuery{"same_name_twice", R"({"metrics":[{"metric":"duration"},{"metric":"duration"}]})",
                 "metrics"},
        BadQuery{"unknown_group", R"({"metrics":[{"metric":"duration"}],"group_by":["nothing"]})",
                 "group_by"},
        BadQuery{"unknown_filter",
                 R"({"metrics":[{"metric":"duration"}],"filters":[{"dimension":"x","value":1}]})", "filters"},
        BadQuery{
            "list_for_eq",
            R"({"metrics":[{"metric":"duration"}],"filters":[{"dimension":"model","operator":"eq","value":["a"]}]})",
            "filters"},
        BadQuery{
            "having_without_number",
            R"({"metrics":[{"metric":"duration"}],"having":[{"metric":"duration","operator":"gt","value":"x"}]})",
            "having"},
        BadQuery{"unknown_sort", R"({"metrics":[{"metric":"duration"}],"sort_by":{"field":"x"}})", "sort_by"},
        BadQuery{"too_many_rows", R"({"metrics":[{"metric":"duration"}],"limit":10001})", "limit"},
        BadQuery{"bad_interval", R"({"metrics":[{"metric":"duration"}],"interval":"soon"})", "interval"},
        BadQuery{"too_long", R"({"metrics":[{"metric":"duration"}],"start_time":"now-91d"})", "start_time"}),
    [](const auto& test) { return test.param.what; });

TEST_F(Analytics, attributionSharesSumToTheWhole) {
    write_calls();
    const Answer answer = api.get("/api/v1/costs/attribution?dimension=user&from=now-1d");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/items/0/dimension_value"), "\"ann\"");
    EXPECT_EQ(answer.at("/items/0/total_cost"), "1.500000001");
    EXPECT_EQ(answer.at("/items/0/by_model/gpt-4o"), "1.500000001");
    EXPECT_EQ(answer.at("/items/0/by_provider/openai"), "1.500000001");
    EXPECT_EQ(answer.at("/summary/total_cost"), "1.500000004");
    EXPECT_EQ(answer.at("/summary/unique_items"), "3");
    EXPECT_EQ(api.get("/api/v1/costs/attribution").at("/error/field"), "\"dimension\"");
}

TEST_F(Analytics, attributionAsCsvCannotBeAFormula) {
    api.write({call("evil", 1min, "m", 1'000'000'000).user("=cmd|'x'!A1, \"quoted\"")});
    const Answer answer = api.get("/api/v1/costs/attribution?dimension=user&format=csv");
    EXPECT_EQ(answer.headers.get("content-type"), "text/csv; charset=utf-8");
    EXPECT_EQ(
        answer.body,
        "dimension_value,total_cost,prompt_cost,completion_cost,request_count,total_tokens,cost_percentage,"
        "avg_cost_per_request\r\n\"'=cmd|'x'!A1, \"\"quoted\"\"\",1,0.25,0.75,1,15,100,1\r\n");
    EXPECT_EQ(api.get("/api/v1/costs/attribution?dimension=user", "admin", {{"accept", "text/csv"}}).body,
              answer.body);
}

TEST_F(Analytics, theForecastGoesOnAsTheLastDays) {
    std::vector<TestRow> rows;
    for (int day = 1; day <= 10; ++day)
        rows.push_back(call(fmt::format("d{}", day), -24h * day, "m", 1'000'000'000LL * (11 - day)));
    for (TestRow& row : rows) api.write({row});
    const Answer answer = api.get("/api/v1/costs/forecast?forecast_period=next_week");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/historical/0/date"), "\"2025-12-30\"");
    EXPECT_EQ(answer.at("/historical/9/cost"), "10");
    EXPECT_EQ(answer.at("/forecast/0/date"), "\"2026-01-09\"");
    EXPECT_NEAR(std::stod(answer.at("/forecast/0/forecasted_cost")), 11, 1e-9);
    EXPECT_NEAR(std::stod(answer.at("/forecast/6/lower_bound")), 17, 1e-6);
    EXPECT_NEAR(std::stod(answer.at("/summary/total_forecasted_cost")), 98, 1e-6);
    EXPECT_NEAR(std::stod(answer.at("/summary/r_squared")), 1, 1e-9);
    EXPECT_EQ(answer.at("/forecast/7"), "");
}

TEST_F(Analytics, aForecastTakesAPast) {
    EXPECT_EQ(api.get("/api/v1/costs/forecast").status, 400);
    EXPECT_EQ(api.get("/api/v1/costs/forecast?historical_start=now-3d").status, 400);
    EXPECT_EQ(api.get("/api/v1/costs/forecast?historical_start=now-500d").status, 400);
}

TEST_F(Analytics, theSummaryOfCostsNamesTheDearestCalls) {
    write_calls();
    const Answer answer = api.get("/api/v1/costs/summary?top_limit=2");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/top_traces/0/cost"), "1");
    EXPECT_EQ(answer.at("/top_traces/1/cost"), "0.500000001");
    EXPECT_EQ(answer.at("/top_traces/2"), "");
    EXPECT_EQ(api.get("/api/v1/costs/summary?include_top_traces=false").at("/top_traces"), "");
}

TEST_F(Analytics, hintsNameWhatIsDearSlowOrBroken) {
    write_calls();
    const Answer answer = api.get("/api/v1/analytics/optimization");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.at("/cost_optimizations/0/title"), "");
    EXPECT_EQ(answer.at("/cost_optimizations/0/potential_savings"), "0.4500000012");
    EXPECT_EQ(answer.at("/performance_optimizations/0"), "");
    EXPECT_NE(answer.at("/quality_optimizations/0/title"), "");
    EXPECT_EQ(answer.at("/overall_score"), "0.6666666666666666");
}

struct Refused {
    std::string what, path, field;
};
class AnalyticsRefusals : public Analytics, public testing::WithParamInterface<Refused> {};
TEST_P(AnalyticsRefusals, nameTheParameter) {
    const Answer answer = api.get(GetParam().path);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), "\"" + GetParam().field + "\"") << answer.body;
}
INSTANTIATE_TEST_SUITE_P(
    Requests, AnalyticsRefusals,
    testing::Values(
        Refused{"years", "/api/v1/analytics/costs?from=now-3650d", "from"},
        Refused{"backwards", "/api/v1/analytics/performance?from=now-1h&to=now-2h", "from"},
        Refused{"nothing_to_group_by", "/api/v1/analytics/costs?group_by=input_text", "group_by"},
        Refused{"a_map_without_a_key", "/api/v1/analytics/costs?group_by=attributes", "group_by"},
        Refused{"two_attributes", "/api/v1/analytics/costs?group_by=attributes.a,attributes.b", "group_by"},
        Refused{"twice_the_same", "/api/v1/analytics/costs?group_by=model,model", "group_by"},
        Refused{"too_many_groups",
                "/api/v1/analytics/costs?group_by=model,provider,user,service,environment,session",
                "group_by"},
        Refused{"one_model", "/api/v1/models/compare?models=a", "models"},
        Refused{"one_model_twice", "/api/v1/models/compare?models=a,a", "models"},
        Refused{"eleven_models", "/api/v1/models/compare?models=a,b,c,d,e,f,g,h,i,j,k", "models"},
        Refused{"no_models", "/api/v1/models/compare", "models"},
        Refused{"no_metrics", "/api/v1/metrics", "metrics"},
        Refused{"unknown_metric", "/api/v1/metrics?metrics=love", "metrics"},
        Refused{"a_quarter_and_a_day", "/api/v1/metrics?metrics=duration&from=now-91d", "from"},
        Refused{"no_such_top", "/api/v1/costs/summary?top_limit=101", "top_limit"}),
    [](const auto& test) { return test.param.what; });

TEST_F(Analytics, tooManyStepsAreRefusedWithAHint) {
    const Answer answer = api.get("/api/v1/metrics?metrics=request_count&from=now-90d&interval=1min");
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/code"), "\"LIMIT_EXCEEDED\"");
    EXPECT_THAT(answer.body, HasSubstr("longer interval"));
}

TEST_F(Analytics, figuresOfAnotherProjectAreNotThere) {
    write_calls();
    api.write({call("foreign", 1min, "m", 7'000'000'000).project("secret"),
               call("other org", 1min, "m", 7'000'000'000).set("org_id", "rival")});
    EXPECT_EQ(api.get("/api/v1/analytics/costs", "viewer").at("/total_cost"), "1.500000004");
    EXPECT_EQ(api.get("/api/v1/analytics/costs").at("/total_cost"), "8.500000004")
        << "an admin sees the organisation";
    EXPECT_EQ(api.get("/api/v1/analytics/costs?project_id=secret", "viewer").status, 403);
    EXPECT_EQ(api.get("/api/v1/analytics/costs?project_id=secret").at("/total_cost"), "7");
}

}  // namespace
}  // namespace obs::serve
