#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace obs::test;
using namespace std::chrono_literals;

constexpr std::string_view route = "/api/v1/running-spans";

class RunningRoute : public testing::Test {
protected:
    RunningRoute() {
        api_.live.rows = {span("agent").trace("t").id("agent").input("a secret"),
                          span("ended").trace("t").id("ended")};
        api_.live.news = noon + Nanos::hours(1);
        api_.write({span("ended").trace("t").id("ended")});
    }
    TestApi api_;
};

TEST_F(RunningRoute, showsWhatTheStoreHasNoEndOf) {
    const Answer answer = api_.get(std::string(route));
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/data/0/span_name"), "\"agent\"");
    EXPECT_EQ(answer.at("/data/0/state"), "\"running\"");
    EXPECT_EQ(answer.at("/data/1"), "") << "it has ended";
    EXPECT_EQ(answer.at("/meta/total"), "1");
    EXPECT_EQ(answer.body.find("a secret"), std::string::npos);
}

TEST_F(RunningRoute, aTraceWithoutNewsIsStuck) {
    api_.live.news = noon + Nanos::hours(1) - Nanos::seconds(601);
    EXPECT_EQ(api_.get(std::string(route)).at("/data/0/state"), "\"stuck\"");
    EXPECT_EQ(api_.get(std::string(route) + "?state=running").at("/data/0"), "");
    EXPECT_EQ(api_.get(std::string(route) + "?state=stuck").at("/data/0/span_name"), "\"agent\"");
    const Answer trace =
        api_.get("/api/v1/traces/" + hex(std::get<std::string>(*span("x").trace("t").get("trace_id"))) +
                 "?include=children");
    EXPECT_EQ(trace.at("/data/state"), "\"stuck\"") << trace.body;
}

TEST_F(RunningRoute, refusesWhatItDoesNotKnow) {
    EXPECT_EQ(api_.get(std::string(route) + "?state=lost").status, 400);
    EXPECT_EQ(api_.get(std::string(route) + "?limit=0").status, 400);
    EXPECT_EQ(api_.get(std::string(route) + "?limit=1001").status, 400);
}

}  // namespace
}  // namespace obs::serve::test
