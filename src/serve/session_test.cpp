// Sessions, end users, and a session as a thread.
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

TestRow call(std::string_view name, std::string_view session, std::string_view user) {
    return span(name)
        .trace(name)
        .took(1s)
        .model("m")
        .user(user)
        .set("session_id", std::string(session))
        .set("status_code", std::int64_t{1});
}

class SessionRoutes : public testing::Test {
protected:
    void SetUp() override {
        api.write(
            {call("hello", "s1", "ann").at(1min).tokens(10, 5).cost(1'000).input("hello there").output("hi"),
             call("again", "s1", "ann")
                 .at(3min)
                 .tokens(1, 1)
                 .cost(9'000)
                 .model("n")
                 .input("again?")
                 .output("yes"),
             call("broken", "s2", "bob").at(2min).tokens(100, 1).set("status_code", std::int64_t{2}),
             call("mine", "s3", "ann").at(4min).cost(500),
             // A tool of the first turn: its session is not said.
             span("tool").trace("hello").at(1min).set("kind", "tool"), span("alone").at(1min)});
    }
    // The values of a member over the list, separated by blanks.
    static std::string all(const Answer& answer, std::string_view member) {
        std::string text;
        for (std::size_t at = 0;; ++at) {
            const std::string value = answer.at(fmt::format("/data/{}/{}", at, member));
            if (value.empty()) return text;
            text += (text.empty() ? "" : " ") + value;
        }
    }
    TestApi api;
};

TEST_F(SessionRoutes, haveTotals) {
    const Answer answer = api.get("/api/v1/sessions", "developer");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(all(answer, "session_id"), R"("s3" "s1" "s2")");
    EXPECT_EQ(answer.at("/data/1"),
              R"({"session_id":"s1","project_id":"main","first_seen":"2026-01-09T12:01:00Z",)"
              R"("last_seen":"2026-01-09T12:03:00Z","duration_ms":121000,"traces":2,"calls":2,"spans":2,)"
              R"("errors":0,"tokens":17,"cost_usd":1e-05,"models":["m","n"],"users":["ann"]})");
    EXPECT_EQ(answer.at("/data/2/cost_usd"), "") << "unknown is not 0";
    EXPECT_EQ(answer.at("/data/2/errors"), "1");
}

struct SortCase {
    std::string what, query, expected;
};
class SessionOrder : public SessionRoutes, public testing::WithParamInterface<SortCase> {};
TEST_P(SessionOrder, isAsAsked) {
    EXPECT_EQ(all(api.get("/api/v1/sessions?" + GetParam().query), "session_id"), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Sorts, SessionOrder,
                         testing::Values(SortCase{"cost", "sort_by=cost", R"("s1" "s3" "s2")"},
                                         SortCase{"cost_ascending_has_unknown_ones_last",
                                                  "sort_by=cost&sort_order=asc", R"("s3" "s1" "s2")"},
                                         SortCase{"tokens", "sort_by=tokens", R"("s2" "s1" "s3")"},
                                         SortCase{"errors", "sort_by=errors&limit=1", R"("s2")"},
                                         SortCase{"calls", "sort_by=calls", R"("s1" "s2" "s3")"},
                                         SortCase{"first_seen", "sort_by=first_seen&sort_order=asc",
                                                  R"("s1" "s2" "s3")"},
                                         SortCase{"a_filter", "model=n", R"("s1")"},
                                         SortCase{"a_user", "user_id=ann", R"("s3" "s1")"},
                                         SortCase{"a_window", "from=2026-01-09T12:03:30Z", R"("s3")"}),
                         [](const auto& test) { return test.param.what; });

class SessionWalk : public SessionRoutes, public testing::WithParamInterface<SortCase> {};
TEST_P(SessionWalk, showsWhatWasThereAtItsFirstPage) {
    std::string seen, cursor;
    for (int page = 0; page < 5; ++page) {
        const Answer answer = api.get("/api/v1/sessions?limit=1&" + GetParam().query +
                                      (cursor.empty() ? "" : "&cursor=" + cursor));
        ASSERT_EQ(answer.status, 200) << answer.body;
        seen += all(answer, "session_id") + " ";
        if (page == 0) api.write({call("late", "s0", "eve").at(5min).tokens(100, 100).cost(50'000)});
        cursor = answer.cursor();
        if (cursor.empty()) break;
    }
    EXPECT_EQ(seen, GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(Sorts, SessionWalk,
                         testing::Values(SortCase{"first_seen", "sort_by=first_seen", R"("s3" "s2" "s1" )"},
                                         SortCase{"last_seen", "", R"("s3" "s1" "s2" )"},
                                         SortCase{"last_seen_of_a_user", "user_id=ann", R"("s3" "s1" )"},
                                         SortCase{"calls", "sort_by=calls", R"("s1" "s2" "s3" )"},
                                         SortCase{"cost_that_one_has_not", "sort_by=cost",
                                                  R"("s1" "s3" "s2" )"}),
                         [](const auto& test) { return test.param.what; });

TEST_F(SessionRoutes, takeCursorsOfTheSameQuestionAlone) {
    const Answer first = api.get("/api/v1/sessions?limit=1");
    EXPECT_EQ(api.get("/api/v1/sessions?limit=1&model=m&cursor=" + first.cursor()).status, 400);
    EXPECT_EQ(api.get("/api/v1/users?limit=1&cursor=" + first.cursor()).status, 400);
    EXPECT_EQ(api.get("/api/v1/sessions?cursor=x").at("/error/field"), "\"cursor\"");
}

TEST_F(SessionRoutes, areUsersToo) {
    const Answer answer = api.get("/api/v1/users?sort_by=tokens");
    EXPECT_EQ(all(answer, "user_id"), R"("bob" "ann")") << answer.body;
    EXPECT_EQ(answer.at("/data/1/sessions"), "2");
    EXPECT_EQ(api.get("/api/v1/users/ann").at("/data/calls"), "3");
    EXPECT_EQ(all(api.get("/api/v1/users/ann/sessions"), "session_id"), R"("s3" "s1")");
    EXPECT_EQ(api.get("/api/v1/users/nobody").status, 404);
    EXPECT_EQ(all(api.get("/api/v1/users/nobody/sessions"), "session_id"), "");
}

TEST_F(SessionRoutes, areThreads) {
    const Answer answer = api.get("/api/v1/sessions/s1/turns");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(all(answer, "input"), R"("hello there" "again?")");
    EXPECT_EQ(all(answer, "output"), R"("hi" "yes")");
    EXPECT_EQ(all(answer, "span_count"), "2 1") << "of the whole trace";
    EXPECT_EQ(all(answer, "user_id"), R"("ann" "ann")");
    EXPECT_EQ(all(api.get("/api/v1/sessions/s1/turns?sort_order=desc&limit=1"), "input"), R"("again?")");
    const Answer page = api.get("/api/v1/sessions/s1/turns?limit=1");
    EXPECT_EQ(all(api.get("/api/v1/sessions/s1/turns?limit=1&cursor=" + page.cursor()), "input"),
              R"("again?")");
    const Answer hidden = api.get("/api/v1/sessions/s1/turns", "viewer");
    EXPECT_EQ(hidden.status, 200);
    EXPECT_EQ(hidden.body.find("hello there"), std::string::npos);
    EXPECT_EQ(hidden.at("/meta/content"), "\"hidden\"");
}

TEST_F(SessionRoutes, showBeginningsOfLongTexts) {
    api.write({call("long", "s4", "ann").input(std::string(2000, 'x')).output("short")});
    const Answer answer = api.get("/api/v1/sessions/s4/turns");
    EXPECT_EQ(answer.at("/data/0/input").size(), 602u);
    EXPECT_EQ(answer.at("/data/0/cut"), "true");
}

TEST_F(SessionRoutes, areThoseOfTheScope) {
    api.write({call("x", "s1", "eve").project("other"), call("y", "s9", "eve").project("other")});
    EXPECT_EQ(all(api.get("/api/v1/sessions", "developer"), "session_id"), R"("s3" "s1" "s2")");
    EXPECT_EQ(api.get("/api/v1/sessions/s9", "developer").status, 404);
    EXPECT_EQ(api.get("/api/v1/sessions/s9/turns", "developer").status, 404);
    EXPECT_EQ(api.get("/api/v1/sessions/s1?project_id=other").at("/data/users"), R"(["eve"])")
        << "the same id in another project is another session";
    EXPECT_EQ(all(api.get("/api/v1/sessions?sort_by=calls"), "calls"), "2 1 1 1 1");
}

struct RefusedCase {
    std::string what, target, token;
    int status;
};
class SessionRefusals : public SessionRoutes, public testing::WithParamInterface<RefusedCase> {};
TEST_P(SessionRefusals, haveAStatus) {
    EXPECT_EQ(api.get(GetParam().target, GetParam().token).status, GetParam().status);
}
INSTANTIATE_TEST_SUITE_P(
    Requests, SessionRefusals,
    testing::Values(RefusedCase{"no_permission", "/api/v1/sessions", "billing", 403},
                    RefusedCase{"users_without_permission", "/api/v1/users", "billing", 403},
                    RefusedCase{"a_sort_that_is_none", "/api/v1/sessions?sort_by=name", "admin", 400},
                    RefusedCase{"too_long_a_page", "/api/v1/sessions?limit=201", "admin", 400},
                    RefusedCase{"too_long_a_window", "/api/v1/sessions?from=now-400d", "admin", 400},
                    RefusedCase{"words_of_prompts", "/api/v1/sessions?search=hello", "viewer", 403},
                    RefusedCase{"no_such_session", "/api/v1/sessions/none", "admin", 404},
                    RefusedCase{"an_id_with_quotes", "/api/v1/sessions/%27%20OR%201%3D1", "admin", 404},
                    RefusedCase{"too_long_an_id", "/api/v1/users/" + std::string(1025, 'x'), "admin", 404}),
    [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs::serve::test
