// A trace from the inside: its shape, payloads by span, and why it costs what it costs.
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

std::string path(std::string_view rest, std::string_view trace = "t") {
    return fmt::format("/api/v1/traces/{}/{}", hex(obs::test::trace_bytes(trace)), rest);
}
std::string id(std::string_view name) {
    return hex(obs::test::span_bytes(name));
}
TestRow below(std::string_view parent, TestRow row) {
    return row.trace("t").set("parent_span_id", obs::test::span_bytes(parent));
}
// $1 and $2 a million tokens, cached input $0.0005 a thousand tokens short of a nano-dollar each.
Price price() {
    return {.base = {.input = UsdPerToken{1'000'000},
                     .output = UsdPerToken{2'000'000},
                     .cached_input = UsdPerToken{100'100}},
            .tiers = {},
            .rule = "list:acme/m@2025-06-10+batch"};
}
TestRow priced(TestRow row, std::int64_t cost) {
    return row.provider("acme")
        .model("m")
        .cost(cost)
        .set("cost_source", "server")
        .set("price_rule", price().rule);
}

class Inside : public testing::Test {
protected:
    void SetUp() override {
        api.rules = {price()};
        api.write(
            {span("root")
                 .trace("t")
                 .took(9s)
                 .set("is_root", std::int64_t{1})
                 .set("kind", "chain")
                 .input("why?"),
             // What it repeats is counted at the calls below.
             below("root", span("agent")
                               .at(1s)
                               .took(5s)
                               .set("kind", "agent")
                               .set("rollup_cost", std::int64_t{5})
                               .set("rollup_prompt_tokens", std::int64_t{7})),
             // 90 x 1000 + 10 x 100.1 + 20 x 2000 = 131'001 nano-dollars
             below("agent", priced(span("call").at(2s).took(1s).tokens(100, 20).input("secret"), 131'001)
                                .set("cached_input_tokens", std::int64_t{10})),
             below("agent",
                   priced(span("other").at(3s).tokens(1, 0), 5'000).set("ttft", std::int64_t{1'500'000})),
             below("root", span("free").at(4s).tokens(3, 3).provider("acme").model("x")),
             below("root", span("claimed").at(5s).tokens(3, 3).cost(700).set("cost_source", "client"))});
    }
    TestApi api;
};

TEST_F(Inside, hasAShape) {
    const Answer answer = api.get(path("skeleton"), "viewer");
    ASSERT_EQ(answer.status, 200) << answer.body;
    std::string shape;
    for (std::size_t at = 0; at < 7; ++at)
        shape += fmt::format("{}{} ", answer.at(fmt::format("/data/spans/{}/depth", at)),
                             answer.at(fmt::format("/data/spans/{}/span_name", at)));
    EXPECT_EQ(shape, R"(0"root" 1"agent" 2"call" 2"other" 1"free" 1"claimed"  )");
    EXPECT_EQ(answer.at("/data/span_count"), "6");
    EXPECT_EQ(answer.at("/data/start"), "\"2026-01-09T12:00:00Z\"");
    EXPECT_EQ(answer.at("/data/spans/2/parent_span_id"), "\"" + id("agent") + "\"");
    EXPECT_EQ(answer.at("/data/spans/3/offset_ms"), "3000");
    EXPECT_EQ(answer.at("/data/spans/3/ttft_ms"), "1.5");
    EXPECT_EQ(answer.at("/data/spans/2/total_cost_usd"), "0.000131001");
    EXPECT_EQ(answer.at("/data/spans/2/total_tokens"), "120");
    EXPECT_EQ(answer.at("/data/spans/2/is_call"), "true");
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << "no payload";
}

TEST_F(Inside, showsWhatIsStillRunning) {
    api.live.rows = {below("root", span("begun").at(8s))};
    const Answer answer = api.get(path("skeleton"));
    EXPECT_EQ(answer.at("/data/spans/6/span_name"), "\"begun\"") << answer.body;
    EXPECT_EQ(answer.at("/data/spans/6/running"), "true");
    EXPECT_EQ(api.get(path("spans/" + id("begun"))).at("/data/running"), "true");
}

TEST_F(Inside, hasPayloadsBySpan) {
    const Answer one = api.get(path("spans/" + id("call")));
    EXPECT_EQ(one.at("/data/input_text"), "\"secret\"") << one.body;
    EXPECT_EQ(one.at("/data/span_name"), "\"call\"");
    const Answer hidden = api.get(path("spans/" + id("call")), "viewer");
    EXPECT_EQ(hidden.status, 200);
    EXPECT_EQ(hidden.body.find("secret"), std::string::npos);
    EXPECT_EQ(hidden.at("/meta/content"), "\"hidden\"");
    const Answer some =
        api.get(path(fmt::format("spans?span_ids={},{},{}", id("call"), id("root"), id("call"))));
    EXPECT_EQ(some.names(), "root call") << some.body;
    EXPECT_EQ(
        api.get(path(fmt::format("spans?span_ids={}&fields=span_name", id("call")))).at("/data/0/input_text"),
        "");
}

struct InsideCase {
    std::string what, rest;
    int status;
    std::string field;
};
class InsideRefusals : public Inside, public testing::WithParamInterface<InsideCase> {};
TEST_P(InsideRefusals, nameThePart) {
    const Answer answer = api.get(path(GetParam().rest));
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), GetParam().field.empty() ? "" : "\"" + GetParam().field + "\"");
}
INSTANTIATE_TEST_SUITE_P(
    Requests, InsideRefusals,
    testing::Values(InsideCase{"a_span_of_nowhere", "spans/00000000000000ff", 404, "span_id"},
                    InsideCase{"no_span_id_at_all", "spans/none", 404, "span_id"},
                    InsideCase{"no_ids", "spans", 400, "span_ids"},
                    InsideCase{"a_bad_id", "spans?span_ids=12,xyz", 400, "span_ids"},
                    InsideCase{"a_cost_of_nothing", "spans/00000000000000ff/cost", 404, "span_id"},
                    InsideCase{"another_project", "skeleton?project_id=other", 404, "trace_id"},
                    InsideCase{"too_many_shown", "cost?limit=1001", 400, "limit"}),
    [](const auto& test) { return test.param.what; });

TEST_F(Inside, isNotThereForOthers) {
    api.write({span("foreign").trace("u").project("secret")});
    for (const char* rest : {"skeleton", "cost", "spans?span_ids=1", "spans/1", "spans/1/cost"}) {
        EXPECT_EQ(api.get(path(rest), "billing").status, 403) << rest;
        const Answer answer = api.get(path(rest, "u"), "developer");
        EXPECT_NE(answer.status == 200 && answer.at("/data") != "[]", true) << rest << answer.body;
    }
}

TEST_F(Inside, explainsACall) {
    const Answer answer = api.get(path("spans/" + id("call") + "/cost"));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/standing"), "\"counted\"");
    EXPECT_EQ(answer.at("/data/cost_usd"), "0.000131001");
    EXPECT_EQ(answer.at("/data/price_rule"), "\"list:acme/m@2025-06-10+batch\"");
    EXPECT_EQ(answer.at("/data/valid_since"), "\"2025-06-10\"");
    EXPECT_EQ(answer.at("/data/service"), "\"batch\"");
    EXPECT_EQ(answer.at("/data/lines/0"),
              R"({"part":"cached_input","tokens":10,"rate_usd_per_million":0.1001,"amount_usd":1.001e-06})");
    EXPECT_EQ(answer.at("/data/lines/1"),
              R"({"part":"input","tokens":90,"rate_usd_per_million":1,"amount_usd":9e-05})");
    EXPECT_EQ(answer.at("/data/lines/2"),
              R"({"part":"output","tokens":20,"rate_usd_per_million":2,"amount_usd":4e-05})");
    EXPECT_EQ(answer.at("/data/rounding_usd"), "0");
    EXPECT_EQ(answer.at("/data/explained"), "true");
}

struct StandingCase {
    std::string span, standing, cost, says;
};
TEST_F(Inside, saysWhatEachSpanIsToTheCost) {
    for (const auto& [name, standing, cost, says] :
         {StandingCase{"agent", "rolled_up", "5e-09", id("other")},
          StandingCase{"free", "unpriced", "", "no price is known"},
          StandingCase{"claimed", "counted", "7e-07", "client claims"},
          StandingCase{"root", "none", "", "neither tokens nor a cost"}}) {
        const Answer answer = api.get(path("spans/" + id(name) + "/cost"));
        EXPECT_EQ(answer.at("/data/standing"), "\"" + standing + "\"") << answer.body;
        EXPECT_EQ(answer.at("/data/cost_usd"), cost);
        EXPECT_NE(answer.body.find(says), std::string::npos) << answer.body;
    }
}

TEST_F(Inside, addsUpToTheCostOfTheTrace) {
    const Answer answer = api.get(path("cost?limit=2"));
    ASSERT_EQ(answer.status, 200) << answer.body;
    // 131'001 + 5'000 + 700; the second call has one token for 1'000 and is not explained by its rule.
    EXPECT_EQ(answer.at("/data/cost_usd"), "0.000136701");
    EXPECT_EQ(answer.at("/data/unexplained_usd"), "5.7e-06");
    EXPECT_EQ(answer.at("/data/parts"), R"([{"part":"cached_input","tokens":10,"amount_usd":1.001e-06},)"
                                        R"({"part":"input","tokens":90,"amount_usd":9e-05},)"
                                        R"({"part":"output","tokens":20,"amount_usd":4e-05}])");
    EXPECT_EQ(answer.at("/data/counted_spans"), "3");
    EXPECT_EQ(answer.at("/data/unpriced_spans"), "1");
    EXPECT_EQ(answer.at("/data/rolled_up_spans"), "1");
    EXPECT_EQ(answer.at("/data/spans/0/span_name"), "\"call\"");
    EXPECT_EQ(answer.at("/data/spans/1/reason"),
              "\"the tokens that are kept do not come to this cost at the rates of the rule\"");
    EXPECT_EQ(answer.at("/data/more_spans"), "3");
}

TEST_F(Inside, aRuleOfAnotherCatalogueExplainsNothing) {
    api.rules.clear();
    const Answer answer = api.get(path("spans/" + id("call") + "/cost"));
    EXPECT_EQ(answer.at("/data/explained"), "false");
    EXPECT_EQ(answer.at("/data/lines"), "[]");
    EXPECT_EQ(answer.at("/data/reason"), "\"the rule is of another catalogue than this server has\"");
}

}  // namespace
}  // namespace obs::serve::test
