// Feedback and evaluations: posted, replaced, read, taken back.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

std::string trace_id(std::string_view name) {
    return hex(obs::test::trace_bytes(name));
}
std::string span_id(std::string_view name) {
    return hex(obs::test::span_bytes(name));
}

struct ScoreApi : TestApi {
    ScoreApi() { write({span("a").set("session_id", "s1"), span("b").trace("a")}); }
    Answer post(std::string_view target, std::string_view body, std::string_view token = "developer") {
        return ask("POST", target, body, {{"authorization", fmt::format("Bearer {}", token)}});
    }
    Answer remove(std::string_view id, std::string_view token = "developer") {
        return ask("DELETE", fmt::format("/api/v1/scores/{}", id), "",
                   {{"authorization", fmt::format("Bearer {}", token)}});
    }
    // Members of all scores, newest first.
    std::string listed(std::string_view member) {
        const Answer answer = get("/api/v1/scores");
        std::string text;
        for (int row = 0;; ++row) {
            const std::string value = answer.at(fmt::format("/data/{}/{}", row, member));
            if (answer.at(fmt::format("/data/{}/ts", row)).empty()) return text;
            text += (text.empty() ? "" : " ") + value;
        }
    }
};

struct PostCase {
    std::string what, path, body;
    std::string name, value, label, source, comment;
};
class PostScore : public testing::TestWithParam<PostCase> {};
TEST_P(PostScore, keepsWhatWasSaid) {
    ScoreApi api;
    const Answer answer = api.post(GetParam().path, GetParam().body);
    ASSERT_EQ(answer.status, 201) << answer.body;
    for (const Answer& shown :
         {answer, api.get("/api/v1/scores/" + answer.at("/data/score_id").substr(1, 32))}) {
        const auto quoted = [](const std::string& text) { return text.empty() ? text : "\"" + text + "\""; };
        EXPECT_EQ(shown.at("/data/name"), quoted(GetParam().name)) << shown.body;
        EXPECT_EQ(shown.at("/data/value"), GetParam().value);
        EXPECT_EQ(shown.at("/data/label"), quoted(GetParam().label));
        EXPECT_EQ(shown.at("/data/source"), quoted(GetParam().source));
        EXPECT_EQ(shown.at("/data/comment"), quoted(GetParam().comment));
        EXPECT_EQ(shown.at("/data/project_id"), "\"main\"");
        EXPECT_EQ(shown.at("/data/attributes/posted_by"), "\"test\"");
    }
}
const std::string of_a = "/api/v1/traces/" + trace_id("a");
INSTANTIATE_TEST_SUITE_P(
    Bodies, PostScore,
    testing::Values(
        PostCase{"rating", of_a + "/feedback", R"({"rating":4.5})", "feedback", "4.5", "", "HUMAN", ""},
        PostCase{"thumb", of_a + "/feedback", R"({"rating":"up"})", "feedback", "1", "up", "HUMAN", ""},
        PostCase{"flag", of_a + "/feedback", R"({"rating":false})", "feedback", "0", "", "HUMAN", ""},
        PostCase{"lines", of_a + "/feedback", R"({"comment":"too\nslow"})", "feedback", "", "", "HUMAN",
                 "too\\nslow"},
        PostCase{"score", of_a + "/evaluations",
                 R"({"evaluator_name":"relevance","score":0.8,"source":"LLM"})", "relevance", "0.8", "",
                 "LLM", ""},
        PostCase{"passed", of_a + "/evaluations", R"({"name":"pii","passed":false,"explanation":"e"})", "pii",
                 "", "fail", "API", "e"},
        PostCase{"details", of_a + "/evaluations",
                 R"({"name":"pii","label":"yes","details":{"model":"m","n":3,"x":1.5,"y":true}})", "pii", "",
                 "yes", "API", ""},
        PostCase{"session", "/api/v1/feedback", R"({"session_id":"s1","rating":1})", "feedback", "1", "",
                 "HUMAN", ""},
        PostCase{"trace_in_the_body", "/api/v1/evaluations",
                 R"({"trace_id":")" + trace_id("a") + R"(","name":"n","score":1})", "n", "1", "", "API", ""}),
    [](const auto& test) { return test.param.what; });

struct RefusalCase {
    std::string what, path, body;
    int status;
    std::string field;
};
class PostRefusal : public testing::TestWithParam<RefusalCase> {};
TEST_P(PostRefusal, namesTheMember) {
    ScoreApi api;
    const Answer answer = api.post(GetParam().path, GetParam().body);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), "\"" + GetParam().field + "\"") << answer.body;
    EXPECT_EQ(api.listed("name"), "");
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, PostRefusal,
    testing::Values(
        RefusalCase{"nothing_said", of_a + "/feedback", "{}", 400, "rating"},
        RefusalCase{"unknown_member", of_a + "/feedback", R"({"rateing":1})", 400, "rateing"},
        RefusalCase{"word_that_is_no_rating", of_a + "/feedback", R"({"rating":"great"})", 400, "rating"},
        RefusalCase{"list_as_rating", of_a + "/feedback", R"({"rating":[1]})", 400, "rating"},
        RefusalCase{"long_comment", of_a + "/feedback", R"({"comment":")" + std::string(16'385, 'x') + "\"}",
                    400, "comment"},
        RefusalCase{"zero_byte", of_a + "/feedback", R"({"comment":"a\u0000b"})", 400, "comment"},
        RefusalCase{"no_evaluator", of_a + "/evaluations", R"({"score":1})", 400, "evaluator_name"},
        RefusalCase{"no_verdict", of_a + "/evaluations", R"({"name":"n"})", 400, "score"},
        RefusalCase{"score_as_text", of_a + "/evaluations", R"({"name":"n","score":"1"})", 400, "score"},
        RefusalCase{"contradiction", of_a + "/evaluations", R"({"name":"n","label":"pass","passed":false})",
                    400, "passed"},
        RefusalCase{"unknown_source", of_a + "/evaluations", R"({"name":"n","score":1,"source":"GOD"})", 400,
                    "source"},
        RefusalCase{"id_with_a_slash", of_a + "/feedback", R"({"id":"a/b","rating":1})", 400, "id"},
        RefusalCase{"two_targets", "/api/v1/feedback", R"({"trace_id":"a","session_id":"s1","rating":1})",
                    400, "trace_id"},
        RefusalCase{"no_target", "/api/v1/feedback", R"({"rating":1})", 400, "trace_id"},
        RefusalCase{"span_of_a_session", "/api/v1/feedback",
                    R"({"session_id":"s1","span_id":"a","rating":1})", 400, "span_id"},
        RefusalCase{"target_beside_the_path", of_a + "/feedback", R"({"trace_id":"a","rating":1})", 400,
                    "trace_id"},
        RefusalCase{"no_hex", "/api/v1/traces/xyz/feedback", R"({"rating":1})", 400, "trace_id"},
        RefusalCase{"unknown_trace", "/api/v1/traces/abc/feedback", R"({"rating":1})", 404, "trace_id"},
        RefusalCase{"unknown_span", of_a + "/feedback", R"({"rating":1,"span_id":"abc"})", 404, "span_id"},
        RefusalCase{"unknown_session", "/api/v1/feedback", R"({"session_id":"s9","rating":1})", 404,
                    "session_id"},
        RefusalCase{"old", of_a + "/feedback", R"({"rating":1,"timestamp":"2019-01-01"})", 400, "timestamp"},
        RefusalCase{"future", of_a + "/feedback", R"({"rating":1,"timestamp":"2029-01-01"})", 400,
                    "timestamp"},
        RefusalCase{"no_time", of_a + "/feedback", R"({"rating":1,"timestamp":"soon"})", 400, "timestamp"},
        RefusalCase{"nested_details", of_a + "/feedback", R"({"rating":1,"details":{"a":{}}})", 400,
                    "details"},
        RefusalCase{"taken_detail", of_a + "/feedback", R"({"rating":1,"details":{"posted_by":"x"}})", 400,
                    "details"},
        RefusalCase{"detail_twice", of_a + "/feedback", R"({"rating":1,"details":{"a":1,"a":2}})", 400,
                    "details"},
        RefusalCase{"another_project", of_a + "/feedback", R"({"rating":1,"project_id":"x"})", 403,
                    "project_id"}),
    [](const auto& test) { return test.param.what; });

TEST(Scores, areReplacedByTheSameId) {
    ScoreApi api;
    api.post(of_a + "/evaluations", R"({"id":"e1","name":"n","score":0.1})");
    const Answer again = api.post(of_a + "/evaluations", R"({"id":"e1","name":"n","score":0.9})");
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(api.listed("value"), "0.9");
}

TEST(Scores, areReplacedByTheSameOpinion) {
    ScoreApi api;
    const auto value_of = [&](std::string_view body) { return api.post(of_a + "/feedback", body).status; };
    EXPECT_EQ(value_of(R"({"rating":1})"), 201);
    EXPECT_EQ(value_of(R"({"rating":2})"), 201);
    EXPECT_EQ(api.listed("value"), "2");
    EXPECT_EQ(value_of(R"({"rating":3,"user_id":"ann"})"), 201);
    EXPECT_EQ(value_of(R"({"rating":4,"span_id":")" + span_id("b") + "\"}"), 201);
    EXPECT_EQ(api.post("/api/v1/feedback", R"({"session_id":"s1","rating":5})").status, 201);
    std::string values = api.listed("value");
    EXPECT_EQ(std::ranges::count(values, ' '), 3) << values;
}

TEST(Scores, ofOthersStay) {
    ScoreApi api;
    api.write({obs::test::score("n").trace("a").set("score_id", "theirs").attribute("posted_by", "ann")});
    EXPECT_EQ(api.post(of_a + "/feedback", R"({"id":"theirs","rating":1})").status, 409);
    EXPECT_EQ(api.remove("theirs").status, 403);
    EXPECT_EQ(api.remove("unknown").status, 404);
    EXPECT_EQ(api.remove("theirs", "viewer").status, 403);
    EXPECT_EQ(api.listed("score_id"), "\"theirs\"");
    EXPECT_EQ(api.remove("theirs", "admin").status, 204);
    EXPECT_EQ(api.listed("score_id"), "");
}

TEST(Scores, areTakenBack) {
    ScoreApi api;
    api.post(of_a + "/feedback", R"({"id":"mine","rating":1})");
    const Answer gone = api.remove("mine");
    EXPECT_EQ(gone.status, 204);
    EXPECT_EQ(gone.body, "");
    EXPECT_EQ(api.remove("mine").status, 404);
    EXPECT_EQ(api.get("/api/v1/scores/mine").status, 404);
    EXPECT_EQ(api.get(of_a + "?include=feedback").at("/data/feedback"), "[]");
}

TEST(Scores, areSeenBesideWhatTheyAreAbout) {
    ScoreApi api;
    const std::string with_all = of_a + "?include=children,feedback,evaluations";
    EXPECT_EQ(api.get(with_all).at("/data/feedback"), "[]");
    api.post(of_a + "/feedback", R"({"rating":4,"comment":"good","user_id":"ann"})");
    api.post(of_a + "/evaluations", R"({"name":"n","passed":true,"span_id":")" + span_id("b") + "\"}");
    const Answer answer = api.get(with_all);
    EXPECT_EQ(answer.at("/data/feedback/0/rating"), "4") << "also when the answer without it was kept";
    EXPECT_EQ(answer.at("/data/feedback/0/user_id"), "\"ann\"");
    EXPECT_NE(answer.body.find(R"("evaluator_name":"n","passed":true)"), std::string::npos) << answer.body;
}

TEST(Scores, ofWhatIsOnItsWayNeedAProject) {
    ScoreApi api;
    EXPECT_EQ(api.post("/api/v1/traces/abc/feedback", R"({"rating":1,"project_id":"main"})").status, 201);
    EXPECT_EQ(api.listed("project_id"), "\"main\"");
}

TEST(Scores, areFiltered) {
    ScoreApi api;
    api.post(of_a + "/feedback", R"({"rating":4})");
    api.post(of_a + "/evaluations", R"({"name":"n","score":0.5,"source":"LLM"})");
    EXPECT_EQ(api.get("/api/v1/scores?source=LLM").at("/data/0/name"), "\"n\"");
    EXPECT_EQ(api.get("/api/v1/scores?name=feedback").at("/data/0/source"), "\"HUMAN\"");
    EXPECT_EQ(api.get("/api/v1/scores?trace_id=abc").at("/data"), "[]");
    const Answer found =
        api.post("/api/v1/scores/search", R"({"filters":{"field":"value","operator":"lt","value":1}})");
    EXPECT_EQ(found.at("/data/0/name"), "\"n\"") << found.body;
    EXPECT_EQ(found.at("/data/1"), "");
    EXPECT_EQ(api.get("/api/v1/scores", "viewer").status, 200);
    EXPECT_EQ(api.get("/api/v1/scores", "billing").status, 403);
}

TEST(Scores, commentsTakeTheRightToReadContent) {
    ScoreApi api;
    api.post(of_a + "/feedback", R"({"comment":"secret"})");
    EXPECT_NE(api.get("/api/v1/scores", "developer").body.find("secret"), std::string::npos);
    EXPECT_EQ(api.get("/api/v1/scores", "viewer").body.find("secret"), std::string::npos);
}

TEST(Scores, areNotConfirmedUnlessKept) {
    ScoreApi api;
    api.refuse_scores = true;
    const Answer answer = api.post(of_a + "/feedback", R"({"rating":4})");
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.headers.get("retry-after"), "");
}

}  // namespace
}  // namespace obs::serve::test
