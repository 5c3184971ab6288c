// Prices over the API: who sets them for whom, what they are, and what they change.
#include <chrono>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "jobs/reprice_work.h"
#include "serve/price_routes.h"
#include "serve/test_accounts.h"
#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using obs::test::span;
using namespace std::chrono_literals;

class PriceRoutes : public testing::Test {
protected:
    void SetUp() override { lane.start(); }
    Answer ask(std::string_view method, const std::string& path, std::string_view body,
               const std::string& who) {
        return api.ask(method, "/api/v1/prices" + path, body, {{"authorization", "Bearer " + who}});
    }
    Answer set(std::string_view body, const std::string& who) { return ask("POST", "", body, who); }
    std::string rule(const std::string& parameters) {
        return ask("GET", "/lookup?" + parameters, "", boss).at("/rule");
    }
    static std::string id_in(const Answer& answer, std::string_view name) {
        const std::string quoted = answer.at(name);
        return quoted.size() < 2 ? "none" : quoted.substr(1, quoted.size() - 2);
    }
    Answer ended(const std::string& id) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        for (;;) {
            Answer job = ask("GET", "/reprice/" + id, "", boss);
            const std::string status = job.at("/status");
            if (status != "\"pending\"" && status != "\"processing\"") return job;
            if (std::chrono::steady_clock::now() > deadline) return job;
            std::this_thread::yield();
        }
    }

    TestAccounts accounts{obs::test::noon + Nanos::hours(1)};
    MemoryStore store;
    PriceBoard board{PriceTable::load().value()};
    std::unique_ptr<KnownPrices> known = KnownPrices::load(*accounts.catalog, board).value();
    Jobs jobs{*accounts.catalog};
    jobs::RepriceWork work{{.store = store,
                            .jobs = jobs,
                            .prices = board,
                            .plan = reprice_asked_of,
                            .change = [this](const Amendments& rows) { return store.amend(rows); },
                            .changed = {}}};
    jobs::Lane lane{{.data = "here", .look_every = 20ms, .clock = [this] { return accounts.now; }},
                    jobs,
                    {{"reprice", &work}},
                    nullptr};
    PriceParts parts{.catalog = *accounts.catalog,
                     .known = *known,
                     .board = board,
                     .jobs = jobs,
                     .lane = lane,
                     .visible_seq = [] { return std::uint64_t{100}; }};
    TestApi api{{}, &store, &accounts, nullptr, &parts};
    const std::string shop = accounts.catalog->create_project("shop", accounts.now)->id;
    std::string boss = accounts.sign_in_as("boss@example.org", "admin", {}),
                ann = accounts.sign_in_as("ann@example.org", "developer", {"default"});
};

TEST_F(PriceRoutes, holdAtOnceUntilTheyAreTakenBack) {
    EXPECT_EQ(ask("GET", "/lookup?model=house-1", "", ann).at("/priced"), "false");
    const Answer made = set(R"({"model":"house-*","input":1.50,"output":"2","valid_from":"2026-01-01",
        "tiers":[{"above":1000,"input":0.00005}]})",
                            boss);
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.at("/rule_prefix"), "\"set/1:\"");
    const Answer found = ask("GET", "/lookup?model=House-1&provider=acme&at=2026-01-02", "", ann);
    EXPECT_EQ(found.at("/rule"), "\"set/1:*/house-*@2026-01-01\"");
    EXPECT_EQ(found.at("/rates/input"), "1.5");
    EXPECT_EQ(found.at("/rates/output"), "2");
    EXPECT_EQ(found.at("/tiers/0/rates/input"), "5e-05");
    EXPECT_EQ(rule("model=house-1&at=2025-12-31"), "");
    EXPECT_EQ(ask("GET", "", "", ann).at("/prices/0/price/model"), "\"house-*\"");

    const std::string path = "/" + id_in(made, "/id");
    EXPECT_EQ(ask("GET", path, "", ann).at("/revision"), "1");
    EXPECT_EQ(ask("DELETE", path, "", ann).status, 403);
    EXPECT_EQ(ask("DELETE", path, "", boss).status, 204);
    EXPECT_EQ(ask("DELETE", path, "", boss).status, 409);
    EXPECT_EQ(rule("model=house-1"), "");
    EXPECT_EQ(ask("GET", "", "", ann).at("/pagination/total"), "0");
    EXPECT_EQ(ask("GET", "?retired=true", "", ann).at("/prices/0/retired_at").empty(), false);
}

TEST_F(PriceRoutes, areOfAProjectOrOfAll) {
    ASSERT_EQ(set(R"({"model":"house-1","input":1})", boss).status, 201);
    const Answer of_shop =
        set(fmt::format(R"({{"model":"house-1","input":2,"project_id":"{}"}})", shop), boss);
    ASSERT_EQ(of_shop.status, 201) << of_shop.body;
    EXPECT_EQ(rule("model=house-1"), "\"set/1:*/house-1\"");
    EXPECT_EQ(rule("model=house-1&project_id=" + shop), "\"set/2:*/house-1\"");
    EXPECT_EQ(rule("model=house-1&project_id=default"), "\"set/1:*/house-1\"");
    EXPECT_EQ(ask("GET", "", "", ann).at("/pagination/total"), "1") << "not that of the shop";
    EXPECT_EQ(ask("GET", "/" + id_in(of_shop, "/id"), "", ann).status, 404);
    EXPECT_EQ(ask("GET", "/lookup?model=house-1&project_id=" + shop, "", ann).status, 403);
    EXPECT_EQ(set(R"({"model":"m","input":1,"project_id":"nowhere"})", boss).at("/error/field"),
              "\"project_id\"");
}

struct RefusedPrice {
    std::string what, body, field, says;
};
class RefusedPrices : public PriceRoutes, public testing::WithParamInterface<RefusedPrice> {};
TEST_P(RefusedPrices, sayWhatIsWrong) {
    const Answer answer = set(GetParam().body, boss);
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), GetParam().field.empty() ? "" : "\"" + GetParam().field + "\"");
    EXPECT_NE(answer.body.find(GetParam().says), std::string::npos) << answer.body;
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, RefusedPrices,
    testing::Values(
        RefusedPrice{"no_model", R"({"input":1})", "model", "model"},
        RefusedPrice{"no_rate", R"({"model":"m"})", "", "a price needs at least one rate"},
        RefusedPrice{"a_member", R"({"model":"m","input":1,"colour":2})", "colour", "colour"},
        RefusedPrice{"a_negative_rate", R"({"model":"m","input":-1})", "", "input must be a number of USD"},
        RefusedPrice{"a_rate_of_seven_places", R"({"model":"m","input":0.0000001})", "",
                     "at most 6 decimals"},
        RefusedPrice{"a_rate_of_words", R"({"model":"m","input":"free"})", "", "input must be a number"},
        RefusedPrice{"a_rate_as_list", R"({"model":"m","input":[1]})", "", "input must be a number"},
        RefusedPrice{"a_day", R"({"model":"m","input":1,"valid_from":"soon"})", "",
                     "valid_from must be a day"},
        RefusedPrice{"an_end_before_the_beginning",
                     R"({"model":"m","input":1,"valid_from":"2026-02-01","valid_until":"2026-01-01"})", "",
                     "later than valid_from"},
        RefusedPrice{"tiers_that_descend",
                     R"({"model":"m","input":1,"tiers":[{"above":9,"input":1},{"above":3,"input":1}]})", "",
                     "tiers must ascend"},
        RefusedPrice{"yaml", "{model: m, input: 1}", "", "JSON"}),
    [](const auto& test) { return test.param.what; });

TEST_F(PriceRoutes, sayWhatWouldChangeAndChangeIt) {
    const auto call = [&](std::string_view name, std::string_view project) {
        return span(name)
            .set("org_id", "default")
            .project(project)
            .provider("acme")
            .model("house-1")
            .tokens(10, 5)
            .set("is_call", std::int64_t{1});
    };
    ASSERT_TRUE(store.write(obs::test::batch_of(std::vector{call("a", "default"), call("b", shop)}), "w"));
    ASSERT_EQ(set(R"({"model":"house-1","input":1,"output":1})", boss).status, 201);
    const std::string body = R"({"from":"now-1d","model":"house-1","dry_run":true})";
    const Answer planned = ask("POST", "/reprice", body, boss);
    ASSERT_EQ(planned.status, 200) << planned.body;
    EXPECT_EQ(planned.at("/planned/calls"), "2");
    EXPECT_EQ(planned.at("/planned/cost_after_usd"), "3e-05");
    EXPECT_EQ(planned.at("/planned/unpriced_before"), "2");
    EXPECT_EQ(planned.at("/planned/parts/0/day"), "\"2026-01-09\"");

    const Answer made = ask("POST", "/reprice", R"({"from":"now-1d"})", boss);
    ASSERT_EQ(made.status, 202) << made.body;
    const Answer done = ended(id_in(made, "/job_id"));
    EXPECT_EQ(done.at("/status"), "\"completed\"") << done.body;
    EXPECT_EQ(done.at("/planned/changed"), "2");
    EXPECT_EQ(done.at("/stored/changed"), "0");
    EXPECT_EQ(done.at("/stored/cost_before_usd"), "3e-05");
    EXPECT_EQ(ask("POST", "/reprice", body, boss).at("/planned/changed"), "0");
    EXPECT_EQ(ask("GET", "/reprice", "", boss).at("/pagination/total"), "1");
    EXPECT_EQ(ask("GET", "/reprice", "", ann).at("/pagination/total"), "0") << "it is about all projects";
    EXPECT_EQ(ask("GET", "/reprice/" + id_in(made, "/job_id"), "", ann).status, 404);
    EXPECT_EQ(ask("DELETE", "/reprice/" + id_in(made, "/job_id"), "", boss).status, 409);
    EXPECT_EQ(ask("POST", "/reprice", R"({"from":"now-1d"})", ann).status, 403);
}

TEST_F(PriceRoutes, refuseWindowsThatAreNone) {
    for (const auto& [body, field] :
         {std::pair(R"({})", "\"from\""), std::pair(R"({"from":"x"})", "\"from\""),
          std::pair(R"({"from":"now-400d"})", "\"from\""),
          std::pair(R"({"from":"now","to":"now-1d"})", "\"from\""),
          std::pair(R"({"from":"now-1d","model":[1]})", "\"model\""),
          std::pair(R"({"from":"now-1d","dry":1})", "\"dry\"")}) {
        const Answer answer = ask("POST", "/reprice", body, boss);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(answer.at("/error/field"), field) << answer.body;
    }
}

}  // namespace
}  // namespace obs::serve::test
