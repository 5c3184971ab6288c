// Saved views: who sees and changes them, and what may stand in them.
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "serve/test_accounts.h"
#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

class ViewRoutes : public testing::Test {
protected:
    Answer ask(std::string_view method, std::string_view target, std::string_view body,
               const std::string& who) {
        return api.ask(method, target, body, {{"authorization", "Bearer " + who}});
    }
    Answer save(std::string_view name, bool shared, const std::string& who,
                std::string_view question = R"({"view":"calls"})") {
        return ask("POST", "/api/v1/views",
                   fmt::format(R"({{"name":"{}","shared":{},"question":{}}})", name, shared, question), who);
    }
    static std::string id_of(const Answer& answer) {
        const std::string quoted = answer.at("/id");
        return quoted.empty() ? "" : quoted.substr(1, quoted.size() - 2);
    }
    std::string names(const std::string& who) {
        const Answer answer = ask("GET", "/api/v1/views", "", who);
        std::string text;
        for (std::size_t at = 0;; ++at) {
            const std::string name = answer.at(fmt::format("/views/{}/name", at));
            if (name.empty()) return text;
            text += name;
        }
    }

    TestAccounts accounts{obs::test::noon + Nanos::hours(1)};
    TestApi api{{}, nullptr, &accounts};
    std::string ann = accounts.sign_in_as("ann@example.org", "developer", {"default"}),
                bob = accounts.sign_in_as("bob@example.org", "viewer", {"default"}),
                boss = accounts.sign_in_as("boss@example.org", "admin", {});
};

TEST_F(ViewRoutes, areKeptAndChanged) {
    const Answer made = save("errors", false, ann, R"({"filters":{"field":"status_code","operator":"eq",
        "value":"ERROR"},"columns":["model","cost"]})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.at("/question/columns/1"), "\"cost\"") << "the page's own";
    EXPECT_EQ(made.at("/project_id"), "\"default\"");
    const std::string path = "/api/v1/views/" + id_of(made);
    EXPECT_EQ(ask("GET", path, "", ann).at("/name"), "\"errors\"");
    EXPECT_EQ(ask("PATCH", path, R"({"name":"faults","shared":true})", ann).at("/shared"), "true");
    EXPECT_EQ(names(bob), "\"faults\"");
    EXPECT_EQ(ask("DELETE", path, "", ann).status, 204);
    EXPECT_EQ(ask("GET", path, "", ann).status, 404);
}

TEST_F(ViewRoutes, areOnesOwnUnlessShared) {
    const std::string own = "/api/v1/views/" + id_of(save("own", false, ann)),
                      shared = "/api/v1/views/" + id_of(save("shared", true, ann));
    EXPECT_EQ(names(ann), "\"own\"\"shared\"");
    EXPECT_EQ(names(bob), "\"shared\"");
    EXPECT_EQ(ask("GET", own, "", bob).status, 404);
    EXPECT_EQ(ask("DELETE", own, "", boss).status, 404) << "not even an admin";
    EXPECT_EQ(ask("GET", shared, "", bob).status, 200);
    EXPECT_EQ(ask("PATCH", shared, R"({"name":"x"})", bob).status, 403);
    EXPECT_EQ(ask("PATCH", shared, R"({"name":"x"})", boss).status, 200);
    EXPECT_EQ(save("own", false, bob).status, 201) << "names are one's own";
    EXPECT_EQ(save("own", false, ann).status, 409);
}

struct ViewCase {
    std::string what, body;
    int status;
    std::string field;
};
class ViewRefusals : public ViewRoutes, public testing::WithParamInterface<ViewCase> {};
TEST_P(ViewRefusals, nameThePart) {
    const Answer answer = ask("POST", "/api/v1/views", GetParam().body, bob);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(answer.at("/error/field"), GetParam().field.empty() ? "" : "\"" + GetParam().field + "\"");
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, ViewRefusals,
    testing::Values(
        ViewCase{"no_name", R"({"question":{}})", 400, "name"},
        ViewCase{"a_long_name", fmt::format(R"({{"name":"{}","question":{{}}}})", std::string(101, 'x')), 400,
                 "name"},
        ViewCase{"no_question", R"({"name":"a"})", 400, "question"},
        ViewCase{"a_question_that_is_text", R"({"name":"a","question":"x"})", 400, "question"},
        ViewCase{"a_filter_of_an_unknown_field",
                 R"({"name":"a","question":{"filters":{"field":"nonsense","operator":"eq","value":1}}})", 400,
                 "question.nonsense"},
        ViewCase{"a_sort_that_is_none", R"({"name":"a","question":{"sort_by":"nonsense"}})", 400,
                 "question.sort_by"},
        ViewCase{"a_page", R"({"name":"a","question":{"cursor":"x"}})", 400, "question.cursor"},
        ViewCase{
            "words_of_prompts_without_the_permission",
            R"({"name":"a","question":{"filters":{"field":"input_text","operator":"contains","value":"x"}}})",
            403, "question.input_text"},
        ViewCase{"a_large_question",
                 fmt::format(R"({{"name":"a","question":{{"x":"{}"}}}})", std::string(17'000, 'x')), 400,
                 "question"},
        ViewCase{"a_project_of_others", R"({"name":"a","question":{},"project_id":"other"})", 403,
                 "project_id"},
        ViewCase{"an_unknown_member", R"({"name":"a","question":{},"owner":"boss"})", 400, "owner"},
        ViewCase{"no_object", "[]", 400, ""}),
    [](const auto& test) { return test.param.what; });

TEST_F(ViewRoutes, ofAnAdminNameAProject) {
    EXPECT_EQ(save("a", false, boss).at("/error/field"), "\"project_id\"");
    const auto of = [&](std::string_view project) {
        return ask("POST", "/api/v1/views",
                   fmt::format(R"({{"name":"a","question":{{}},"project_id":"{}"}})", project), boss);
    };
    EXPECT_EQ(of("default").status, 201);
    EXPECT_EQ(of("nowhere").at("/error/field"), "\"project_id\"");
}

}  // namespace
}  // namespace obs::serve::test
