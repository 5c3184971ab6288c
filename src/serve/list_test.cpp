// GET /api/v1/traces and POST /api/v1/traces/search over a store in memory.
#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json_writer.h"
#include "serve/test_api.h"
#include "text/tokeniser.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

std::string terms(std::string_view text) {
    std::string out;
    Tokeniser().append_index_terms(text, out);
    return out;
}

TestRow cheap() {
    return span("cheap")
        .at(1s)
        .took(100ms)
        .trace("t1")
        .model("gpt-4o")
        .provider("openai")
        .user("ann")
        .tokens(10, 5)
        .cost(1'000'000)
        .tags({"blue", "new"})
        .input("I want a refund, policy or not")
        .set("search_text", terms("I want a refund, policy or not"))
        .set("environment", "prod")
        .set("service_name", "shop")
        .set("operation_type", "chat")
        .set("session_id", "s1")
        .set("status_code", std::int64_t{1})
        .attribute("tier", "gold");
}
TestRow dear() {
    return span("dear")
        .at(2s)
        .took(900ms)
        .trace("t1")
        .model("gpt-4o")
        .provider("azure")
        .user("bob")
        .tokens(1000, 500)
        .cost(20'000'000)
        .tags({"blue"})
        .input("refunds: what is the policy?")
        .set("search_text", terms("refunds: what is the policy?"))
        .set("environment", "dev")
        .set("service_name", "shop")
        .set("operation_type", "chat")
        .set("session_id", "s2")
        .set("status_code", std::int64_t{2})
        .attribute("tier", "iron")
        .attribute("retries", "3", AttributeType::integer);
}
TestRow other() {
    return span("other")
        .at(3s)
        .took(5ms)
        .trace("t2")
        .model("claude")
        .set("request_model", "claude-latest")
        .provider("anthropic")
        .input("weather")
        .set("search_text", terms("weather"))
        .set("service_name", "bot")
        .set("operation_type", "completion");
}
TestRow retriever() {
    return span("retriever").at(4s).took(1ms).trace("t2").set("kind", "chain").set("kind", "retriever");
}
TestRow root() {
    return span("root").at(0s).took(5s).trace("t1").set("kind", "chain").set("is_root", std::int64_t{1});
}

struct ListCase {
    std::string what;
    std::string query;
    std::string names;  // newest first
};
class List : public testing::TestWithParam<ListCase> {};

TEST_P(List, showsTheRowsThatMatch) {
    TestApi api;
    api.write({cheap(), dear(), other(), retriever(), root()});
    const Answer answer = api.get("/api/v1/traces?" + GetParam().query);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.names(), GetParam().names);
}

const ListCase list_cases[] = {
    {"everything_that_is_a_call", "", "other dear cheap"},
    {"the_seeds_line", "from=2026-01-09&model=gpt-4o&limit=100", "dear cheap"},
    {"from", "from=2026-01-09T12:00:02Z", "other dear"},
    {"to_is_exclusive", "to=2026-01-09T12:00:02Z", "cheap"},
    {"start_time_and_end_time", "start_time=2026-01-09T12:00:02Z&end_time=2026-01-09T12:00:03Z", "dear"},
    {"relative_times", "from=now-3599s&to=now-3598s", "cheap"},
    {"from_equal_to_to_is_an_empty_window", "from=2026-01-09&to=2026-01-09", ""},
    {"trace_id", "trace_id=" + hex(obs::test::trace_bytes("t2")), "other"},
    {"session_id", "session_id=s1", "cheap"},
    {"user_id", "user_id=bob", "dear"},
    {"project_id", "project_id=main", "other dear cheap"},
    {"project_id_of_nobody", "project_id=elsewhere", ""},
    {"provider", "provider=openai", "cheap"},
    {"providers", "provider=openai,azure", "dear cheap"},
    {"model", "model=claude", "other"},
    {"model_that_was_asked_for", "model=claude-latest", "other"},
    {"models_alias", "models=claude,gpt-4o", "other dear cheap"},
    {"a_parameter_given_twice_as_a_list", "model=claude&model=gpt-4o", "other dear cheap"},
    {"environment", "environment=prod", "cheap"},
    {"service_name", "service_name=shop", "dear cheap"},
    {"span_name", "span_name=dear", "dear"},
    {"operation_type", "operation_type=completion", "other"},
    {"operation_alias", "operation=chat", "dear cheap"},
    {"min_duration_is_inclusive", "min_duration=100", "dear cheap"},
    {"max_duration_ms", "max_duration_ms=100", "other cheap"},
    {"min_cost", "min_cost=0.02", "dear"},
    {"max_cost", "max_cost=0.001", "cheap"},
    {"min_tokens", "min_tokens=1500", "dear"},
    {"max_tokens", "max_tokens=15", "cheap"},
    {"status", "status=ERROR", "dear"},
    {"status_in_lower_case", "status=success", "cheap"},
    {"status_code_alias", "status_code=UNSET", "other"},
    {"one_tag", "tags=blue", "dear cheap"},
    {"all_tags", "tags=blue,new", "cheap"},
    {"search_by_inflected_words", "search=refunded+policy", "dear cheap"},
    {"search_and_more", "search=refund&model=gpt-4o&max_cost=0.01", "cheap"},
    {"search_without_words", "search=%3F", ""},
    {"view_calls", "view=calls", "other dear cheap"},
    {"view_spans", "view=spans", "retriever other dear cheap root"},
    {"view_roots", "view=roots", "root"},
    {"limit", "limit=2", "other dear"},
    {"sort_by_cost", "sort_by=total_cost_usd", "dear cheap other"},
    {"sort_by_cost_upwards", "sort_by=total_cost_usd&sort_order=asc", "cheap dear other"},
    {"sort_by_time_upwards", "sort_by=timestamp&sort_order=asc", "cheap dear other"},
    {"sort_by_model", "sort_by=model&sort_order=asc", "other cheap dear"},
    {"sort_by_duration", "sort_by=duration_ms", "dear cheap other"},
    {"unknown_parameters_are_ignored", "colour=red", "other dear cheap"},
    {"empty_values_are_ignored", "model=&user_id=", "other dear cheap"},
    {"encoded_values", "model=gpt%2D4o&user_id=%62ob", "dear"},
};
INSTANTIATE_TEST_SUITE_P(Parameters, List, testing::ValuesIn(list_cases),
                         [](const auto& test) { return test.param.what; });

struct RefusedCase {
    std::string what, query, field, code;
};
class RefusedList : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedList, namesTheField) {
    TestApi api;
    const Answer answer = api.get("/api/v1/traces?" + GetParam().query);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), "\"" + GetParam().field + "\"");
    EXPECT_EQ(answer.at("/error/code"), "\"" + GetParam().code + "\"");
    EXPECT_EQ(answer.at("/error/category"), "\"VALIDATION\"");
    EXPECT_NE(answer.at("/error/number"), "");
    EXPECT_NE(answer.at("/error/message"), "");
    EXPECT_NE(answer.at("/meta/request_id"), "");
}

const RefusedCase refused_cases[] = {
    {"limit_of_zero", "limit=0", "limit", "LIMIT_EXCEEDED"},
    {"limit_over_1000", "limit=1001", "limit", "LIMIT_EXCEEDED"},
    {"limit_that_is_no_number", "limit=many", "limit", "INVALID_FIELD_FORMAT"},
    {"cursor_that_is_none", "cursor=bm9uc2Vuc2U%3D", "cursor", "INVALID_FIELD_VALUE"},
    {"from_after_to", "from=now&to=now-1h", "from", "INVALID_DATE_RANGE"},
    {"start_after_end", "start_time=now&end_time=now-1h", "start_time", "INVALID_DATE_RANGE"},
    {"a_window_in_the_future", "from=2031-01-01", "from", "INVALID_DATE_RANGE"},
    {"time_that_is_none", "from=yesterdayish", "from", "INVALID_FIELD_FORMAT"},
    {"both_spellings_of_from", "from=now-1h&start_time=now-1h", "start_time", "INVALID_REQUEST"},
    {"a_parameter_given_twice", "user_id=a&user_id=b", "user_id", "INVALID_REQUEST"},
    {"sort_by_nothing", "sort_by=colour", "sort_by", "INVALID_FIELD_VALUE"},
    {"sort_by_text", "sort_by=input_text", "sort_by", "INVALID_FIELD_VALUE"},
    {"sort_order_that_is_none", "sort_order=up", "sort_order", "INVALID_FIELD_VALUE"},
    {"negative_duration", "min_duration=-1", "min_duration", "INVALID_FIELD_FORMAT"},
    {"cost_that_is_none", "max_cost=nan", "max_cost", "INVALID_FIELD_FORMAT"},
    {"tokens_that_are_none", "min_tokens=few", "min_tokens", "INVALID_FIELD_FORMAT"},
    {"status_that_is_none", "status=MAYBE", "status", "INVALID_FIELD_VALUE"},
    {"view_that_is_none", "view=everything", "view", "INVALID_FIELD_VALUE"},
    {"include_that_is_none", "include=everything", "include", "INVALID_FIELD_VALUE"},
    {"trace_id_that_is_none", "trace_id=xyz", "trace_id", "INVALID_FIELD_VALUE"},
    {"offset", "offset=50", "offset", "INVALID_REQUEST"},
};
INSTANTIATE_TEST_SUITE_P(Mistakes, RefusedList, testing::ValuesIn(refused_cases),
                         [](const auto& test) { return test.param.what; });

struct SearchCase {
    std::string what, body, names;
};
class Search : public testing::TestWithParam<SearchCase> {};

TEST_P(Search, showsTheRowsThatMatch) {
    TestApi api;
    api.write({cheap(), dear(), other(), retriever(), root()});
    const Answer answer = api.search(GetParam().body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.names(), GetParam().names);
}

const SearchCase search_cases[] = {
    {"the_seeds_body_verbatim", R"({
  "filters": {
    "operator": "AND",
    "conditions": [
      {"field": "model", "operator": "eq", "value": "gpt-4o"},
      {"field": "total_cost_usd", "operator": "gt", "value": 0.01},
      {"field": "input_text", "operator": "search", "value": "refund policy"}
    ]
  },
  "pagination": {"limit": 50},
  "sort": [{"field": "timestamp", "direction": "desc"}]
})",
     "dear"},
    {"the_originals_spelling",
     R"({"filter":{"operator":"NOT","filters":[{"field":"model","operator":"eq","value":"gpt-4o"}]},"limit":10,
        "sort_by":"ts","sort_desc":true})",
     "other"},
    {"no_filter", "{}", "other dear cheap"},
    {"null_members_are_absent", R"({"filters":null,"pagination":null,"sort":null,"cursor":null,"from":null})",
     "other dear cheap"},
    {"window", R"({"from":"2026-01-09T12:00:02Z","to":"now"})", "other dear"},
    {"window_in_milliseconds", R"({"from":1767960002000})", "other dear"},
    {"view", R"({"view":"spans","sort":[{"field":"ts","direction":"asc"}]})",
     "root cheap dear other retriever"},
    {"sort_by_alone_is_upwards", R"({"sort_by":"ts"})", "cheap dear other"},
    {"sort_by_two_fields",
     R"({"sort":[{"field":"model","direction":"desc"},{"field":"duration_ms","direction":"asc"}]})",
     "cheap dear other"},
    {"nested_groups",
     R"({"filters":{"operator":"OR","conditions":[
          {"operator":"AND","conditions":[{"field":"provider","operator":"eq","value":"azure"},
                                          {"field":"status_code","operator":"eq","value":"ERROR"}]},
          {"operator":"NOT","conditions":[{"field":"service_name","operator":"eq","value":"shop"}]}]}})",
     "other dear"},
    {"attribute_text", R"({"filters":{"field":"attributes.tier","operator":"eq","value":"gold"}})", "cheap"},
    {"attribute_number",
     R"({"from":"2026-01-01","filters":{"field":"metadata.retries","operator":"gte","value":3}})", "dear"},
    {"regex", R"({"filters":{"field":"input_text","operator":"regex","value":"^REFUNDS?:"}})", "dear"},
    {"contains_is_literal", R"({"filters":{"field":"input_text","operator":"contains","value":"%"}})", ""},
    {"ne_finds_what_is_missing", R"({"filters":{"field":"user_id","operator":"ne","value":"ann"}})",
     "other dear"},
    {"is_missing", R"({"filters":{"field":"total_cost_usd","operator":"eq","value":null}})", "other"},
    {"tokens_per_second", R"({"filters":{"field":"tokens_per_second","operator":"gt","value":100}})", "dear"},
    {"duration_as_it_is_shown", R"({"filters":{"field":"latency_ms","operator":"eq","value":900}})", "dear"},
    {"unknown_members_are_ignored", R"({"colour":"red"})", "other dear cheap"},
};
INSTANTIATE_TEST_SUITE_P(Bodies, Search, testing::ValuesIn(search_cases),
                         [](const auto& test) { return test.param.what; });

class RefusedSearch : public testing::TestWithParam<RefusedCase> {};
TEST_P(RefusedSearch, namesTheField) {
    TestApi api;
    const Answer answer = api.search(GetParam().query);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), GetParam().field.empty() ? "" : "\"" + GetParam().field + "\"");
    EXPECT_EQ(answer.at("/error/code"), "\"" + GetParam().code + "\"");
}
const RefusedCase refused_searches[] = {
    {"no_json", "{", "", "INVALID_REQUEST"},
    {"empty_body", "", "", "INVALID_REQUEST"},
    {"a_list", "[]", "", "INVALID_REQUEST"},
    {"too_deep_for_json", std::string(400, '[') + std::string(400, ']'), "", "INVALID_REQUEST"},
    {"unknown_field", R"({"filters":{"field":"colour","operator":"eq","value":1}})", "colour",
     "INVALID_FIELD_VALUE"},
    {"both_filters", R"({"filters":{},"filter":{}})", "filter", "INVALID_REQUEST"},
    {"both_limits", R"({"limit":1,"pagination":{"limit":1}})", "limit", "INVALID_REQUEST"},
    {"both_sorts", R"({"sort":[],"sort_by":"ts"})", "sort", "INVALID_REQUEST"},
    {"limit_as_text", R"({"pagination":{"limit":"50"}})", "limit", "INVALID_FIELD_FORMAT"},
    {"limit_over_1000", R"({"limit":1001})", "limit", "LIMIT_EXCEEDED"},
    {"pagination_of_wrong_type", R"({"pagination":5})", "pagination", "INVALID_FIELD_FORMAT"},
    {"cursor_of_wrong_type", R"({"cursor":5})", "cursor", "INVALID_FIELD_FORMAT"},
    {"sort_of_wrong_type", R"({"sort":"ts"})", "sort", "INVALID_FIELD_FORMAT"},
    {"sort_by_nothing", R"({"sort":[{"field":"colour"}]})", "sort", "INVALID_FIELD_VALUE"},
    {"direction_that_is_none", R"({"sort":[{"field":"ts","direction":"up"}]})", "sort",
     "INVALID_FIELD_VALUE"},
    {"four_sorts", R"({"sort":[{"field":"ts"},{"field":"model"},{"field":"provider"},{"field":"span_id"}]})",
     "sort", "LIMIT_EXCEEDED"},
    {"slow_attribute_without_a_window", R"({"filters":{"field":"attributes.n","operator":"gt","value":1}})",
     "attributes.n", "INVALID_REQUEST"},
};
INSTANTIATE_TEST_SUITE_P(Mistakes, RefusedSearch, testing::ValuesIn(refused_searches),
                         [](const auto& test) { return test.param.what; });

TEST(ListAnswer, hasTheEnvelopeOfTheContract) {
    TestApi api;
    api.write({cheap(), dear()});
    const Answer answer = api.get("/api/v1/traces?limit=1");
    EXPECT_EQ(answer.at("/status"), "\"success\"");
    EXPECT_EQ(answer.at("/pagination/has_more"), "true");
    EXPECT_EQ(answer.at("/pagination/limit"), "1");
    EXPECT_EQ(answer.at("/meta/cached"), "false");
    EXPECT_EQ(answer.at("/meta/version"), "\"1.0\"");
    EXPECT_EQ(answer.at("/meta/timestamp"), "\"2026-01-09T13:00:00Z\"");
    EXPECT_NE(answer.at("/meta/execution_time_ms"), "");
    const Answer last = api.get("/api/v1/traces?limit=1&cursor=" + answer.cursor());
    EXPECT_EQ(last.names(), "cheap");
    EXPECT_EQ(last.at("/pagination/has_more"), "false");
    EXPECT_EQ(last.at("/pagination/cursor"), "");
}

TEST(ListAnswer, showsARowInTheWordsOfTheApi) {
    TestApi api;
    TestRow row = dear();
    row.set("ttft", std::int64_t{123'456'789})
        .set("temperature", 0.5)
        .set("max_tokens", std::int64_t{99})
        .set("streaming", std::int64_t{1})
        .set("tool_calls", R"([{"id":"1"}])")
        .set("span_kind", std::int64_t{3})
        .attribute("list", "[1,2]", AttributeType::json)
        .attribute("big", "9223372036854775807", AttributeType::integer)
        .attribute("yes", "true", AttributeType::boolean)
        .attribute("none", "", AttributeType::empty)
        .attribute("broken", "{\"a\":", AttributeType::json)
        .attribute("text", "[1]")
        .set("flags", std::int64_t{flag_value_truncated});
    api.write({row});
    const Answer answer = api.get("/api/v1/traces");
    const std::pair<const char*, std::string> expected[] = {
        {"ts", "\"2026-01-09T12:00:02Z\""},
        {"timestamp", "\"2026-01-09T12:00:02Z\""},
        {"trace_id", '"' + hex(obs::test::trace_bytes("t1")) + '"'},
        {"duration_ms", "900"},
        {"latency_ms", "900"},
        {"ttft_ms", "123.456789"},
        {"time_to_first_token_ms", "123.456789"},
        {"prompt_tokens", "1000"},
        {"completion_tokens", "500"},
        {"total_tokens", "1500"},
        {"total_cost_usd", "0.02"},
        {"status_code", "\"ERROR\""},
        {"span_kind", "\"client\""},
        {"streaming", "true"},
        {"is_call", "true"},
        {"temperature", "0.5"},
        {"model_parameters", R"({"temperature":0.5,"max_tokens":99})"},
        {"tool_calls", R"([{"id":"1"}])"},
        {"tags", R"(["blue"])"},
        {"attributes/retries", "3"},
        {"attributes/list", "[1,2]"},
        {"attributes/big", "9223372036854775807"},
        {"attributes/yes", "true"},
        {"attributes/none", "null"},
        {"attributes/broken", R"("{\"a\":")"},
        {"attributes/text", "\"[1]\""},
        {"flags", R"(["value_truncated"])"},
        {"parent_span_id", ""},
        {"output_text", ""},
        {"prompt_cost_usd", ""},
        {"search_text", ""},
        {"org_id", ""},
        {"metadata", ""},
        {"seq", ""}};
    for (const auto& [name, value] : expected)
        EXPECT_EQ(answer.at(fmt::format("/data/0/{}", name)), value) << name;
    EXPECT_EQ(answer.at("/data/0/tokens_per_second").substr(0, 7), "555.555");
}

TEST(ListAnswer, roundsDurationsAndShowsNegativeOnes) {
    TestApi api;
    api.write({span("a").at(5s).took(1'499'999ns), span("b").at(4s).took(1'500'000ns),
               span("c").at(3s).took(-250ms), span("d").at(2s).took(-1'500'000ns)});
    const Answer answer = api.get("/api/v1/traces?fields=duration_ms");
    EXPECT_EQ(answer.at("/data/0/duration_ms"), "1");
    EXPECT_EQ(answer.at("/data/1/duration_ms"), "2");
    EXPECT_EQ(answer.at("/data/2/duration_ms"), "-250");
    EXPECT_EQ(answer.at("/data/3/duration_ms"), "-1");
}

TEST(ListAnswer, showsTheFieldsAskedForAndTheKeys) {
    TestApi api;
    api.write({dear()});
    const Answer answer = api.get("/api/v1/traces?fields=model,latency_ms,metadata,attributes.tier,colour");
    EXPECT_EQ(
        answer.at("/data/0"),
        fmt::format(R"({{"ts":"2026-01-09T12:00:02Z","timestamp":"2026-01-09T12:00:02Z","trace_id":"{}",)"
                    R"("span_id":"{}","model":"gpt-4o","latency_ms":900,)"
                    R"("metadata":{{"tier":"iron","retries":3}},"attributes.tier":"iron"}})",
                    hex(obs::test::trace_bytes("t1")), hex(obs::test::span_bytes("dear"))));
}

TEST(ListAnswer, isJsonWhateverTheTextsHold) {
    const std::string hostile[] = {"\"},{\"a\":\"",
                                   "\\u0000\\",
                                   std::string("\0\x01\x1f", 3),
                                   "\xff\xfe\xc3(",
                                   "</script>'; DROP TABLE llm_traces;--",
                                   "\u2028\u2029\U0001F600",
                                   "{{}} %s $1"};
    TestApi api;
    for (const std::string& text : hostile)
        api.write({span("s")
                       .id(text)
                       .model(text)
                       .input(text)
                       .tags({text})
                       .attribute(text, text)
                       .attribute("json", text, AttributeType::json)
                       .set("tool_calls", text)
                       .set("resource", text)});
    const Answer answer = api.get("/api/v1/traces?include=children,evaluations,feedback");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.at("/data/6"), "");
    for (const std::string& text : hostile) {
        std::string body = R"({"from":"2026-01-01","filters":{"field":"model","operator":"eq","value":)";
        append_json_string(body, text);
        const Answer found = api.search(body + "}}");
        EXPECT_EQ(found.status, 200) << found.body;
    }
}

TEST(ListAnswer, showsTheBeginningOfTextsThatAreVeryLong) {
    TestApi api;
    const std::string euros = [] {
        std::string text;
        for (int i = 0; i < 100'000; ++i) text += "\u20ac";
        return text;
    }();
    api.write({span("long").input(euros)});
    const Answer few = api.get("/api/v1/traces?limit=10");
    EXPECT_EQ(few.at("/data/0/input_text").size(), euros.size() + 2);
    EXPECT_EQ(few.at("/meta/content"), "");
    const Answer many = api.get("/api/v1/traces?limit=1000");
    EXPECT_EQ(many.at("/data/0/input_text").size(), 65535U + 2) << "64 KiB, without a part of a character";
    EXPECT_EQ(many.at("/meta/content"), "\"cut\"");
}

TEST(RootsView, addsTheFiguresOfTheWholeTrace) {
    TestApi api;
    api.write(
        {root(), cheap(), dear(), other(), span("late").trace("t1").at(4s).took(3s).set("kind", "chain")});
    const Answer answer = api.get("/api/v1/traces?view=roots");
    ASSERT_EQ(answer.names(), "root") << answer.body;
    EXPECT_EQ(answer.at("/data/0/span_count"), "4");
    EXPECT_EQ(answer.at("/data/0/error_count"), "1");
    EXPECT_EQ(answer.at("/data/0/trace_duration_ms"), "7000");
    EXPECT_EQ(answer.at("/data/0/trace_tokens"), "1515");
    EXPECT_EQ(answer.at("/data/0/trace_cost_usd"), "0.021");
    EXPECT_EQ(answer.at("/data/0/models"), R"(["gpt-4o"])");
}

TEST(ListAnswer, includesWhatLiesBelowARow) {
    TestApi api;
    api.write({root(),
               span("chain")
                   .trace("t1")
                   .at(1s)
                   .set("parent_span_id", obs::test::span_bytes("root"))
                   .set("kind", "chain"),
               cheap().set("parent_span_id", obs::test::span_bytes("chain")), other()});
    const Answer answer = api.get("/api/v1/traces?view=roots&include=children");
    EXPECT_EQ(answer.at("/data/0/children/0/span_name"), "\"chain\"") << answer.body;
    EXPECT_EQ(answer.at("/data/0/children/0/children/0/span_name"), "\"cheap\"");
    EXPECT_EQ(api.get("/api/v1/traces?include=children&user_id=ann").at("/data/0/children"), "[]");
}

TEST(ListAnswer, includesEvaluationsAndFeedback) {
    TestApi api;
    api.write({root(), cheap()});
    const auto score = [](std::string_view name) {
        return obs::test::score(name).trace("t1").set("score_id", std::string(name));
    };
    api.write({score("relevance")
                   .set("span_id", obs::test::span_bytes("cheap"))
                   .set("value", 0.9)
                   .set("label", "pass")
                   .set("source", "LLM")
                   .set("comment", "fits"),
               score("helpful")
                   .set("source", "HUMAN")
                   .set("value", 1.0)
                   .set("comment", "thanks")
                   .set("user_id", "ann")});
    const Answer calls = api.get("/api/v1/traces?include=evaluations,feedback");
    EXPECT_EQ(
        calls.at("/data/0/evaluations"),
        R"([{"evaluator_name":"relevance","score":0.9,"passed":true,"details":{"label":"pass","source":"LLM",)"
        R"("comment":"fits"},"timestamp":"2026-01-09T12:00:00Z"}])")
        << calls.body;
    EXPECT_EQ(calls.at("/data/0/feedback"), "[]") << "feedback on the trace belongs to its root";
    const Answer roots = api.get("/api/v1/traces?view=roots&include=feedback");
    EXPECT_EQ(roots.at("/data/0/feedback"),
              R"([{"rating":1,"comment":"thanks","user_id":"ann","timestamp":"2026-01-09T12:00:00Z"}])")
        << roots.body;
    EXPECT_EQ(roots.at("/data/0/evaluations"), "");
}

// ---- cursors ----

std::string encoded(std::string cursor) {
    std::string out;
    for (const char c : cursor) out += c == '+' ? "%2B" : std::string(1, c);
    return out;
}

struct WalkCase {
    std::string what, query;
};
class Walk : public testing::TestWithParam<WalkCase> {};

TestRow some_row(std::mt19937& random, int number) {
    TestRow row = span(fmt::format("n{}", number));
    row.at(std::chrono::seconds(random() % 8))
        .took(std::chrono::milliseconds(random() % 3))
        .trace(fmt::format("t{}", random() % 5));
    if (random() % 3 != 0) row.model(random() % 2 == 0 ? "a" : "b");
    if (random() % 3 != 0) row.cost(static_cast<std::int64_t>(random() % 3));
    return row;
}

TEST_P(Walk, showsEachRowOfTheFirstPageOnceWhileOthersArrive) {
    std::mt19937 random(5);
    TestApi api;
    std::vector<TestRow> rows;
    for (int i = 0; i < 60; ++i) rows.push_back(some_row(random, i));
    api.write(rows);
    const std::string whole = api.get("/api/v1/traces?limit=1000&" + GetParam().query).names();
    std::string walked, cursor;
    int arrived = 1000;
    do {
        const Answer page = api.get("/api/v1/traces?limit=7&" + GetParam().query +
                                    (cursor.empty() ? "" : "&cursor=" + cursor));
        ASSERT_EQ(page.status, 200) << page.body;
        walked += (walked.empty() ? "" : " ") + page.names();
        cursor = encoded(page.cursor());
        for (int i = 0; i < 5; ++i) api.write({some_row(random, arrived++)});
    } while (!cursor.empty());
    EXPECT_EQ(walked, whole);
}
INSTANTIATE_TEST_SUITE_P(Orders, Walk,
                         testing::Values(WalkCase{"newest_first", "view=calls"},
                                         WalkCase{"oldest_first", "sort_order=asc"},
                                         WalkCase{"by_model", "sort_by=model"},
                                         WalkCase{"by_model_upwards", "sort_by=model&sort_order=asc"},
                                         WalkCase{"by_cost", "sort_by=total_cost_usd"},
                                         WalkCase{"by_cost_upwards", "sort_by=total_cost_usd&sort_order=asc"},
                                         WalkCase{"by_duration", "sort_by=duration_ms"},
                                         WalkCase{"by_trace", "sort_by=trace_id"},
                                         WalkCase{"by_status", "sort_by=status_code"},
                                         WalkCase{"with_a_relative_window", "from=now-2h"}),
                         [](const auto& test) { return test.param.what; });

SpanKey key_of(std::string_view trace, std::string_view name, std::chrono::nanoseconds at) {
    return {obs::test::noon + Nanos{at.count()}, *TraceId::from_bytes(obs::test::trace_bytes(trace)),
            *SpanId::from_bytes(obs::test::span_bytes(name))};
}

TEST(Cursor, isRefusedWhenRowsChangedTheirPlaceInItsOrder) {
    TestApi api;
    api.write({cheap(), dear(), other()});
    const std::string by_cost = encoded(api.get("/api/v1/traces?limit=1&sort_by=total_cost_usd").cursor());
    const std::string by_time = encoded(api.get("/api/v1/traces?limit=1").cursor());
    EXPECT_EQ(api.get("/api/v1/traces?limit=1&sort_by=total_cost_usd&cursor=" + by_cost).status, 200);
    Amendments settled{};
    settled.org = "acme";
    settled.project = "main";
    settled.seq = ++api.live.visible;
    settled.to_own = {key_of("t1", "cheap", 1s)};
    ASSERT_TRUE(api.memory.amend(settled));
    const Answer refused = api.get("/api/v1/traces?limit=1&sort_by=total_cost_usd&cursor=" + by_cost);
    EXPECT_EQ(refused.status, 400) << refused.body;
    EXPECT_EQ(refused.at("/error/field"), "\"cursor\"");
    EXPECT_EQ(api.get("/api/v1/traces?limit=1&cursor=" + by_time).names(), "dear") << "time does not change";
}

struct StrangeCursorCase {
    std::string what, query, token;
};
class StrangeCursor : public testing::TestWithParam<StrangeCursorCase> {};
TEST_P(StrangeCursor, isRefused) {
    TestApi api;
    api.write({cheap(), dear(), other()});
    const std::string cursor = encoded(api.get("/api/v1/traces?limit=1&service_name=shop").cursor());
    const Answer answer =
        api.get("/api/v1/traces?limit=1&" + GetParam().query + "&cursor=" + cursor, GetParam().token);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), "\"cursor\"");
    EXPECT_TRUE(answer.at("/error/message").starts_with("\"Invalid cursor")) << answer.body;
}
INSTANTIATE_TEST_SUITE_P(
    Questions, StrangeCursor,
    testing::Values(StrangeCursorCase{"of_another_filter", "model=gpt-4o", "admin"},
                    StrangeCursorCase{"of_another_order", "service_name=shop&sort_by=model", "admin"},
                    StrangeCursorCase{"of_another_view", "service_name=shop&view=spans", "admin"},
                    StrangeCursorCase{"of_another_window", "service_name=shop&from=now-9h", "admin"},
                    StrangeCursorCase{"of_somebody_who_sees_more", "service_name=shop", "developer"}),
    [](const auto& test) { return test.param.what; });

TEST(Cursor, goesWithAnotherLimitAndOtherFields) {
    TestApi api;
    api.write({cheap(), dear(), other()});
    const std::string cursor = encoded(api.get("/api/v1/traces?limit=1").cursor());
    EXPECT_EQ(api.get("/api/v1/traces?limit=9&fields=span_name&cursor=" + cursor).names(), "dear cheap");
}

// A store whose scans are given up after two seconds of the window, newest first (decision 24).
class TiredStore : public SpanStore {
public:
    explicit TiredStore(SpanStore& store) : store_(store) {}
    Result<void> migrate() override { return {}; }
    Result<void> write(const AnyBatch&, std::string_view) override { return {}; }
    Result<void> amend(const Amendments&) override { return {}; }
    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override {
        if (question.budget.rows > ScanBudget{}.rows) return store_.rows(question, cancel);
        RowQuestion some = question;
        const UnixNanos newest = obs::test::noon + Nanos::seconds(9);
        const UnixNanos stop = std::min(question.window.to.value_or(newest), newest) - Nanos::seconds(2);
        const bool gives_up = stop > question.window.from.value_or(obs::test::noon);
        if (gives_up) some.window.from = stop;
        auto answer = store_.rows(some, cancel);
        if (answer && gives_up) answer->scanned_to = stop;
        return answer;
    }
    Result<Table> groups(const GroupQuestion&, const Cancel&) override { return Table{}; }
    Result<void> stream(const RowQuestion&, const std::function<bool(AnyBatch)>&, const Cancel&) override {
        return {};
    }
    Result<void> forget(const Forget&) override { return {}; }
    StoreHealth health() override { return {}; }

private:
    SpanStore& store_;
};

class TiredWalk : public testing::TestWithParam<WalkCase> {};
TEST_P(TiredWalk, findsEachRowOnceThoughNoScanSeesAll) {
    std::mt19937 random(9);
    TestApi whole;
    TiredStore tired(whole.memory);
    TestApi api({}, &tired);
    std::vector<TestRow> rows;
    std::vector<std::string> expected, walked;
    for (int i = 0; i < 60; ++i) {
        rows.push_back(some_row(random, i));
        expected.push_back(fmt::format("n{}", i));
    }
    whole.write(rows);
    api.live.visible = whole.live.visible;
    std::string cursor;
    bool gave_up = false;
    do {
        const Answer page = api.get("/api/v1/traces?limit=4&" + GetParam().query +
                                    (cursor.empty() ? "" : "&cursor=" + encoded(cursor)));
        ASSERT_EQ(page.status, 200) << page.body;
        gave_up = gave_up || !page.at("/meta/scanned_to").empty();
        std::istringstream names(page.names());
        for (std::string name; names >> name;) walked.push_back(name);
        cursor = page.cursor();
    } while (!cursor.empty());
    EXPECT_TRUE(gave_up);
    std::ranges::sort(expected);
    std::ranges::sort(walked);
    EXPECT_EQ(walked, expected);
}
INSTANTIATE_TEST_SUITE_P(Orders, TiredWalk,
                         testing::Values(WalkCase{"newest_first", "view=calls"},
                                         WalkCase{"oldest_first", "sort_order=asc"},
                                         WalkCase{"by_cost", "sort_by=total_cost_usd"},
                                         WalkCase{"by_model_upwards", "sort_by=model&sort_order=asc"},
                                         WalkCase{"with_a_window", "from=2026-01-09&to=2026-01-10"}),
                         [](const auto& test) { return test.param.what; });

// Whatever comes in, an answer in JSON goes out.
TEST(List, survivesRandomQuestions) {
    TestApi api;
    api.write({cheap(), dear(), other(), retriever(), root()});
    const std::string_view names[] = {"from",    "to",     "model",    "limit",    "cursor",
                                      "sort_by", "fields", "include",  "view",     "search",
                                      "tags",    "status", "min_cost", "trace_id", "sort_order"};
    const std::string_view values[] = {"now-1h", "%00",    "%ff%fe", "1",   "-1",
                                       "1e999",  "gpt-4o", "ts",     "asc", "children,feedback",
                                       "roots",  ",,,",    "e30%3D", "%",   "attributes.x,tags",
                                       "ERROR",  "",       "now",    "0"};
    const std::string_view pieces[] = {"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"filters\"",
                                       "\"field\"",
                                       "\"operator\"",
                                       "\"value\"",
                                       "\"model\"",
                                       "\"eq\"",
                                       "\"AND\"",
                                       "\"conditions\"",
                                       "1",
                                       "null",
                                       "\"sort\"",
                                       "\"limit\"",
                                       "\"\\ud800\"",
                                       "\xff",
                                       "1e400"};
    std::mt19937 random(1);
    std::set<int> seen;
    for (int round = 0; round < 3000; ++round) {
        std::string query;
        for (auto i = random() % 4; i > 0; --i)
            query += fmt::format("&{}={}", names[random() % std::size(names)],
                                 values[random() % std::size(values)]);
        std::string body = "{";
        for (auto i = random() % 14; i > 0; --i) body += pieces[random() % std::size(pieces)];
        for (const Answer& answer : {api.get("/api/v1/traces?" + query), api.search(body)}) {
            seen.insert(answer.status);
            ASSERT_TRUE(answer.status == 200 || answer.status == 400) << query << body << answer.body;
            ASSERT_NE(answer.at(answer.status == 200 ? "/status" : "/error/code"), "");
        }
    }
    EXPECT_EQ(seen.size(), 2U);
}

}  // namespace
}  // namespace obs::serve::test
