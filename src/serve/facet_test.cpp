// Facets and histograms over a store in memory: every figure here is one that a person can count.
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

TestRow call(std::string_view name, std::string_view model, std::string_view user, std::int64_t status = 1) {
    return span(name).at(1min).took(100ms).model(model).user(user).provider("openai").set("status_code",
                                                                                          status);
}

class FacetsOfCalls : public testing::Test {
protected:
    void SetUp() override {
        api.write({call("a", "gpt-4o", "ann").tags({"blue", "new"}).attribute("tier", "gold").cost(2'000'000),
                   call("b", "gpt-4o", "Anton", 2).tags({"blue"}).attribute("tier", "iron"),
                   call("c", "gpt-4o-mini", "bob").attribute("tier", "gold").attribute("team", "x"),
                   call("d", "claude", "").provider("anthropic").at(2min),
                   span("tool").at(1min).set("kind", "tool").user("ann")});
    }
    // `value=count …` of one facet, then what is missing.
    std::string facet(std::string_view query, std::string_view token = "admin", std::size_t at = 0) {
        return shown(api.get(fmt::format("/api/v1/traces/facets?from=now-2h&{}", query), token), at);
    }
    static std::string shown(const Answer& answer, std::size_t at = 0) {
        if (answer.status != 200) return fmt::format("{} {}", answer.status, answer.at("/error/field"));
        std::string text;
        for (std::size_t value = 0;; ++value) {
            const std::string name = answer.at(fmt::format("/data/{}/values/{}/value", at, value));
            if (name.empty()) break;
            text +=
                fmt::format("{}={} ", name, answer.at(fmt::format("/data/{}/values/{}/count", at, value)));
        }
        return text + "missing=" + answer.at(fmt::format("/data/{}/missing", at));
    }
    TestApi api;
};

struct FacetCase {
    std::string what, query, token, expected;
};
class FacetCases : public FacetsOfCalls, public testing::WithParamInterface<FacetCase> {};
TEST_P(FacetCases, areCounted) {
    EXPECT_EQ(facet(GetParam().query, GetParam().token), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Fields, FacetCases,
    testing::Values(
        FacetCase{"most_frequent_first", "facets=model", "admin",
                  R"("gpt-4o"=2 "claude"=1 "gpt-4o-mini"=1 missing=0)"},
        FacetCase{"what_has_no_value_is_missing", "facets=user_id", "admin",
                  R"("Anton"=1 "ann"=1 "bob"=1 missing=1)"},
        FacetCase{"each_tag_of_a_row", "facets=tags", "admin", R"("blue"=2 "new"=1 missing=2)"},
        FacetCase{"statuses_are_words", "facets=status", "admin", R"("OK"=3 "ERROR"=1 missing=0)"},
        FacetCase{"keys_of_attributes", "facets=attributes", "admin", R"("tier"=3 "team"=1 missing=1)"},
        FacetCase{"values_of_one_attribute", "facets=attributes.tier", "admin",
                  R"("gold"=2 "iron"=1 missing=1)"},
        FacetCase{"attributes_take_a_permission", "facets=attributes.tier", "viewer", R"(403 "facets")"},
        FacetCase{"texts_take_a_permission", "facets=input_text", "viewer", R"(403 "facets")"},
        FacetCase{"a_prefix_in_any_case", "facets=user_id&prefix=AN", "admin",
                  R"("Anton"=1 "ann"=1 missing=0)"},
        FacetCase{"a_prefix_of_tags", "facets=tags&prefix=b", "admin", R"("blue"=2 missing=0)"},
        FacetCase{"a_prefix_of_keys", "facets=attributes&prefix=te", "admin", R"("team"=1 missing=0)"},
        FacetCase{"a_prefix_of_values", "facets=attributes.tier&prefix=go", "admin", R"("gold"=2 missing=0)"},
        FacetCase{"without_its_own_condition", "facets=model&model=claude&provider=anthropic", "admin",
                  R"("claude"=1 missing=0)"},
        FacetCase{"own_condition_alone", "facets=model&model=claude", "admin",
                  R"("gpt-4o"=2 "claude"=1 "gpt-4o-mini"=1 missing=0)"},
        FacetCase{"conditions_of_others_count", "facets=user_id&model=gpt-4o", "admin",
                  R"("Anton"=1 "ann"=1 missing=0)"},
        FacetCase{"rows_of_another_view", "facets=kind&view=spans", "admin", R"("tool"=1 missing=4)"},
        FacetCase{"amounts", "facets=total_cost_usd", "admin", R"(0.002=1 missing=3)"},
        FacetCase{"a_limit", "facets=model&limit=1", "admin", R"("gpt-4o"=2 missing=0)"},
        FacetCase{"a_limit_of_none", "facets=model&limit=0", "admin", R"(400 "limit")"},
        FacetCase{"an_unknown_field", "facets=nonsense", "admin", R"(400 "facets")"},
        FacetCase{"computed_fields_have_none", "facets=tokens_per_second", "admin", R"(400 "facets")"},
        FacetCase{"a_field_twice", "facets=model,model", "admin", R"(400 "facets")"},
        FacetCase{"a_wrong_filter", "facets=model&min_cost=x", "admin", R"(400 "min_cost")"},
        FacetCase{"quotes_are_text", "facets=model&prefix=%27%20OR%201%3D1", "admin", "missing=0"}),
    [](const auto& test) { return test.param.what; });

TEST_F(FacetsOfCalls, severalAtOnceKeepTheirOrder) {
    const Answer answer = api.get("/api/v1/traces/facets?facets=user_id,model,attributes.tier&model=gpt-4o");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/0/field"), "\"user_id\"");
    EXPECT_EQ(answer.at("/data/1/field"), "\"model\"");
    EXPECT_EQ(answer.at("/data/1/rows"), "4") << "without its own condition";
    EXPECT_EQ(answer.at("/data/2/field"), "\"attributes.tier\"");
    EXPECT_EQ(answer.at("/data/2/rows"), "2");
    EXPECT_EQ(answer.at("/data/0/source"), "\"raw\"");
    EXPECT_EQ(answer.at("/data/0/sampled"), "false");
}

TEST_F(FacetsOfCalls, takeATreeOfConditions) {
    const auto asked = [&](std::string_view body) {
        return shown(
            api.ask("POST", "/api/v1/traces/facets?facets=model", body, {{"authorization", "Bearer admin"}}));
    };
    EXPECT_EQ(asked(R"({"filters":{"operator":"AND","conditions":[
                {"field":"model","operator":"eq","value":"claude"},
                {"field":"user_id","operator":"starts_with","value":"a"}]}})"),
              R"("gpt-4o"=2 missing=0)");
    EXPECT_EQ(asked(R"({"filters":{"operator":"OR","conditions":[
                {"field":"model","operator":"eq","value":"claude"},
                {"field":"user_id","operator":"eq","value":"bob"}]}})"),
              R"("claude"=1 "gpt-4o-mini"=1 missing=0)")
        << "a condition that not every row meets stays";
    EXPECT_EQ(asked("[]"), "400 ");
}

TEST_F(FacetsOfCalls, showTheEndsOfNumbers) {
    const Answer answer = api.get("/api/v1/traces/facets?facets=duration_ms,ts");
    EXPECT_EQ(answer.at("/data/0/min"), "100");
    EXPECT_EQ(answer.at("/data/0/max"), "100");
    EXPECT_EQ(answer.at("/data/1/max"), "\"2026-01-09T12:02:00Z\"");
}

TEST_F(FacetsOfCalls, knowNothingOfOtherProjects) {
    api.write({call("x", "secret-model", "eve").project("other")});
    EXPECT_EQ(facet("facets=model&prefix=secret", "developer"), "missing=0");
    EXPECT_EQ(facet("facets=model&prefix=secret", "admin"), R"("secret-model"=1 missing=0)");
}

TEST_F(FacetsOfCalls, histogramCountsEachStep) {
    const Answer answer =
        api.get("/api/v1/traces/histogram?from=2026-01-09T12:00:00Z&to=2026-01-09T12:04:00Z&interval=1m");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/buckets/0/count"), "0");
    EXPECT_EQ(answer.at("/data/buckets/1/count"), "3");
    EXPECT_EQ(answer.at("/data/buckets/1/errors"), "1");
    EXPECT_EQ(answer.at("/data/buckets/2/count"), "1");
    EXPECT_EQ(answer.at("/data/buckets/3/timestamp"), "\"2026-01-09T12:03:00Z\"");
    EXPECT_EQ(answer.at("/data/buckets/4"), "");
    EXPECT_EQ(answer.at("/data/count"), "4");
    EXPECT_EQ(answer.at("/data/interval_ms"), "60000");
    EXPECT_EQ(answer.at("/data/source"), "\"raw\"");
}

TEST_F(FacetsOfCalls, histogramOfSpansHasDaysOfTheZone) {
    api.write({span("late").at(-13h).set("kind", "tool")});
    const auto days = [&](std::string_view zone) {
        const Answer answer =
            api.get(fmt::format("/api/v1/traces/histogram?from=2026-01-08&to=2026-01-10&"
                                "interval=1d&view=spans&timezone={}",
                                zone));
        std::string text;
        for (std::size_t at = 0; at < 3; ++at)
            text += answer.at(fmt::format("/data/buckets/{}/count", at)) + " ";
        return text;
    };
    EXPECT_EQ(days("UTC"), "1 5  ");
    EXPECT_EQ(days("Europe/Berlin"), "0 6 0 ");
}

TEST_F(FacetsOfCalls, histogramChoosesAStep) {
    const auto step = [&](std::string_view query) {
        return api.get(fmt::format("/api/v1/traces/histogram?{}", query)).at("/data/interval_ms");
    };
    EXPECT_EQ(step(""), "1800000");
    EXPECT_EQ(step("from=now-1h&buckets=61"), "60000");
    EXPECT_EQ(step("from=now-30d&buckets=31"), "86400000");
    EXPECT_EQ(step("from=1970-01-01&to=2200-01-01&buckets=1000"), "31536000000");
    EXPECT_EQ(api.get("/api/v1/traces/histogram?from=now-365d&interval=1s").status, 400);
    EXPECT_EQ(api.get("/api/v1/traces/histogram?from=now&to=now").status, 400);
    EXPECT_EQ(api.get("/api/v1/traces/histogram?from=1700-01-01&to=2262-04-01").status, 400);
}

TEST(FacetAccess, takesReadTraces) {
    TestApi api;
    EXPECT_EQ(api.get("/api/v1/traces/facets", "billing").status, 403);
    EXPECT_EQ(api.get("/api/v1/traces/histogram", "billing").status, 403);
    EXPECT_EQ(api.get("/api/v1/traces/facets", "viewer").status, 200);
}

}  // namespace
}  // namespace obs::serve::test
