// GET /api/v1/traces/:trace_id.
#include <chrono>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "query/traces.h"
#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

std::string trace_path(std::string_view name) {
    return "/api/v1/traces/" + hex(obs::test::trace_bytes(name));
}

TestRow below(std::string_view parent, TestRow row) {
    return row.trace("t").set("parent_span_id", obs::test::span_bytes(parent));
}
std::vector<TestRow> a_trace() {
    return {span("root").trace("t").took(9s).set("is_root", std::int64_t{1}).set("kind", "chain"),
            below("root", span("second").at(2s).took(1s).model("m").tokens(3, 4).cost(500'000)),
            below("root", span("first").at(1s).took(1s)),
            below("second", span("deep").at(3s).took(20s).set("status_code", std::int64_t{2})),
            below("never came", span("orphan").at(4s))};
}

TEST(OneTrace, isItsRootSpan) {
    TestApi api;
    api.write(a_trace());
    const Answer answer = api.get(trace_path("t"));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/status"), "\"success\"");
    EXPECT_EQ(answer.at("/data/span_name"), "\"root\"");
    EXPECT_EQ(answer.at("/data/spans"), "");
    EXPECT_NE(answer.at("/meta/request_id"), "");
}

TEST(OneTrace, isATreeWhenAskedFor) {
    TestApi api;
    api.write(a_trace());
    const Answer answer = api.get(trace_path("t") + "?include=children");
    EXPECT_EQ(answer.at("/data/span_name"), "\"root\"") << answer.body;
    EXPECT_EQ(answer.at("/data/spans/0/span_name"), "\"root\"");
    EXPECT_EQ(answer.at("/data/spans/0/parent_span_id"), "");
    EXPECT_EQ(answer.at("/data/spans/0/children/0/span_name"), "\"first\"");
    EXPECT_EQ(answer.at("/data/spans/0/children/1/span_name"), "\"second\"");
    EXPECT_EQ(answer.at("/data/spans/0/children/1/children/0/span_name"), "\"deep\"");
    EXPECT_EQ(answer.at("/data/spans/1/span_name"), "\"orphan\"");
    EXPECT_EQ(answer.at("/data/spans/1/orphaned"), "true");
    EXPECT_EQ(answer.at("/data/spans/0/orphaned"), "");
    EXPECT_EQ(answer.at("/data/spans/2"), "");
    EXPECT_EQ(answer.at("/data/span_count"), "5");
    EXPECT_EQ(answer.at("/data/error_count"), "1");
    EXPECT_EQ(answer.at("/data/trace_duration_ms"), "23000");
    EXPECT_EQ(answer.at("/data/trace_tokens"), "7");
    EXPECT_EQ(answer.at("/data/trace_cost_usd"), "0.0005");
    EXPECT_EQ(answer.at("/data/models"), "[\"m\"]");
}

TEST(OneTrace, withoutARootIsItsEarliestSpan) {
    TestApi api;
    api.write({below("gone", span("later").at(2s)), below("gone", span("earlier").at(1s))});
    EXPECT_EQ(api.get(trace_path("t")).at("/data/span_name"), "\"earlier\"");
    EXPECT_EQ(api.get(trace_path("t") + "?include=children").at("/data/span_name"), "\"earlier\"");
}

TEST(OneTrace, showsSpansThatStillRun) {
    TestApi api;
    api.write(a_trace());
    api.live.rows = {below("root", span("running").at(5s)), below("root", span("first").at(1s)),
                     span("elsewhere").trace("other")};
    const Answer answer = api.get(trace_path("t") + "?include=children");
    EXPECT_EQ(answer.at("/data/spans/0/children/2/span_name"), "\"running\"") << answer.body;
    EXPECT_EQ(answer.at("/data/spans/0/children/2/running"), "true");
    EXPECT_EQ(answer.at("/data/spans/0/children/0/running"), "") << "what is stored has ended";
    EXPECT_EQ(answer.at("/data/span_count"), "6");
    EXPECT_EQ(api.get(trace_path("other")).at("/data/running"), "true") << "nothing of it is stored yet";
}

TEST(OneTrace, takesShortIdsAndUuids) {
    TestApi api;
    api.write({span("s").set("trace_id", std::string(8, '\0') + "\xa1\xb2\xc3\xd4\xe5\xf6\x07\x18")});
    EXPECT_EQ(api.get("/api/v1/traces/A1B2C3D4E5F60718").status, 200);
    EXPECT_EQ(api.get("/api/v1/traces/00000000-0000-0000-a1b2-c3d4e5f60718").status, 200);
}

struct NoTraceCase {
    std::string what, path;
};
class NoTrace : public testing::TestWithParam<NoTraceCase> {};
TEST_P(NoTrace, isNotFoundByName) {
    TestApi api;
    api.write({span("s").trace("foreign").set("org_id", "umbrella"),
               span("s").trace("elsewhere").project("secret")});
    const Answer answer = api.get(GetParam().path, "developer");
    EXPECT_EQ(answer.status, 404) << answer.body;
    EXPECT_EQ(answer.at("/error/code"), "\"TRACE_NOT_FOUND\"");
    const std::string id = GetParam().path.substr(std::string("/api/v1/traces/").size());
    EXPECT_NE(answer.at("/error/message").find(id), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(Ids, NoTrace,
                         testing::Values(NoTraceCase{"unknown",
                                                     "/api/v1/traces/00000000000000000000000000000001"},
                                         NoTraceCase{"no_id", "/api/v1/traces/nonsense"},
                                         NoTraceCase{"of_another_organisation", trace_path("foreign")},
                                         NoTraceCase{"of_another_project", trace_path("elsewhere")}),
                         [](const auto& test) { return test.param.what; });

TEST(OneTrace, of3000SpansInAChainIsAnswered) {
    TestApi api;
    std::vector<TestRow> chain;
    for (int i = 0; i < 3000; ++i)
        chain.push_back(
            below(fmt::format("c{}", i - 1), span(fmt::format("c{}", i)).at(std::chrono::seconds(i))));
    api.write(chain);
    const Answer answer = api.get(trace_path("t") + "?include=children&fields=span_name");
    EXPECT_EQ(answer.at("/data/span_count"), "3000");
    std::size_t shown = 0;
    for (std::size_t at = answer.body.find("\"span_name\""); at != std::string::npos;
         at = answer.body.find("\"span_name\"", at + 1))
        ++shown;
    EXPECT_EQ(shown, 3001U) << "all spans, and the root as `data`";
}

TEST(OneTrace, isCutWhenItIsTooBigToShow) {
    MemoryStore store;
    FakeLive live;
    TestRow big = below("root", span("big")).input(std::string(3000, 'x'));
    big.set("org_id", "acme").project("main");
    ASSERT_TRUE(store.write(obs::test::batch_of(std::vector{big}), "w"));
    const query::Traces traces(store, live, {.tree_spans = 1, .tree_bytes = 1000, .cut_bytes = 10});
    const auto found =
        traces.one(Scope("acme", {}), *TraceId::from_bytes(obs::test::trace_bytes("t")),
                   query::shown_columns(TableId::spans, query::Content::shown), {.children = true}, {});
    ASSERT_TRUE(found && *found);
    EXPECT_TRUE((*found)->content_cut);
    EXPECT_EQ((*found)->spans.input_text[0], "xxxxxxxxxx");
}

TEST(TraceRoute, showsLogsOldestFirst) {
    TestApi api;
    const auto log = [](std::string_view body, std::string_view trace) {
        return obs::test::log(body).set("trace_id", obs::test::trace_bytes(trace));
    };
    api.write({span("a").trace("t")});
    api.write({log("later", "t").at(2s), log("sooner", "t").at(1s), log("other", "u")});
    const Answer answer = api.get(trace_path("t") + "?include=logs");
    EXPECT_EQ(answer.at("/data/logs/0/body"), "\"sooner\"") << answer.body;
    EXPECT_EQ(answer.at("/data/logs/1/body"), "\"later\"");
    EXPECT_EQ(answer.at("/data/logs/2"), "");
    EXPECT_EQ(api.get(trace_path("t")).at("/data/logs"), "");
    EXPECT_EQ(api.get(trace_path("t") + "?include=logs", "viewer").at("/data/logs/0/body"), "")
        << "what a record says is content";
}

}  // namespace
}  // namespace obs::serve::test
