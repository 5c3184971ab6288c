// Signing in and out, over the API.
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

std::string unquoted(std::string text) {
    return text.size() < 2 ? text : text.substr(1, text.size() - 2);
}

Fields bearer(std::string_view token) {
    return {{"authorization", fmt::format("Bearer {}", token)}};
}

class SignInTest : public testing::Test {
protected:
    Answer post(std::string_view path, std::string_view body, Fields headers = {}) {
        return api.ask("POST", path, body, std::move(headers));
    }
    Answer login(std::string_view name, std::string_view password) {
        return post("/api/v1/auth/login",
                    fmt::format(R"({{"username":"{}","password":"{}"}})", name, password));
    }
    Answer me(std::string_view token) { return api.ask("GET", "/api/v1/auth/me", "", bearer(token)); }

    TestAccounts accounts{now};
    TestApi api{{}, nullptr, &accounts};
};

TEST_F(SignInTest, takesTheRightPassword) {
    accounts.sign_in_as("Ann@Example.org", "developer", {"default"});
    const Answer answer = login("ann@example.ORG", TestAccounts::password);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.at("/token_type"), "\"Bearer\"");
    EXPECT_EQ(answer.at("/expires_in"), "43200");
    EXPECT_EQ(answer.at("/password_needed"), "false");
    EXPECT_EQ(answer.at("/user/email"), "\"Ann@Example.org\"");
    EXPECT_EQ(answer.headers.get("cache-control"), "private, no-store");
    const Answer who = me(unquoted(answer.at("/access_token")));
    EXPECT_EQ(who.status, 200) << who.body;
    EXPECT_EQ(who.at("/role"), "\"developer\"");
    EXPECT_EQ(who.at("/projects"), R"(["default"])");
    EXPECT_EQ(who.at("/user/email"), "\"Ann@Example.org\"");
}

struct WrongCase {
    std::string what, body;
    int status;
    std::string code, field;
};
class WrongLogins : public SignInTest, public testing::WithParamInterface<WrongCase> {};
TEST_P(WrongLogins, areRefused) {
    accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const Answer answer = post("/api/v1/auth/login", GetParam().body);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    EXPECT_EQ(answer.at("/error/code"), "\"" + GetParam().code + "\"");
    EXPECT_EQ(unquoted(answer.at("/error/field")), GetParam().field);
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, WrongLogins,
    testing::Values(
        WrongCase{"wrong_password", R"({"username":"ann@example.org","password":"wrong"})", 401,
                  "INVALID_CREDENTIALS", ""},
        WrongCase{"no_password", R"({"username":"ann@example.org"})", 401, "INVALID_CREDENTIALS", ""},
        WrongCase{"unknown_user", R"({"username":"bob@example.org","password":"correct horse battery"})", 401,
                  "INVALID_CREDENTIALS", ""},
        WrongCase{"sql_as_name", R"({"username":"' OR 1=1 --","password":"x"})", 401, "INVALID_CREDENTIALS",
                  ""},
        WrongCase{"name_with_a_zero_byte",
                  R"({"username":"ann@example.org\u0000","password":"correct horse battery"})", 400,
                  "INVALID_FIELD_VALUE", "username"},
        WrongCase{"unknown_code", R"({"code":"abc"})", 401, "INVALID_CREDENTIALS", ""},
        WrongCase{"empty_code", R"({"code":""})", 401, "INVALID_CREDENTIALS", ""},
        WrongCase{"both", R"({"username":"a","password":"b","code":"c"})", 400, "INVALID_REQUEST", "code"},
        WrongCase{"nothing", "{}", 400, "MISSING_REQUIRED_FIELD", "username"},
        WrongCase{"no_body", "", 400, "MISSING_REQUIRED_FIELD", "username"},
        WrongCase{"no_json", "username=a", 400, "INVALID_REQUEST", ""},
        WrongCase{"a_list", "[]", 400, "INVALID_REQUEST", ""},
        WrongCase{"another_member", R"({"user":"a"})", 400, "INVALID_REQUEST", "user"},
        WrongCase{"a_number", R"({"username":7,"password":"x"})", 400, "INVALID_FIELD_VALUE", "username"},
        WrongCase{"a_long_password", R"({"username":"a","password":")" + std::string(5000, 'x') + R"("})",
                  400, "INVALID_FIELD_VALUE", "password"}),
    [](const auto& test) { return test.param.what; });

TEST_F(SignInTest, tellsUnknownUsersAndWrongPasswordsAlike) {
    accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    EXPECT_EQ(login("ann@example.org", "wrong").at("/error/message"),
              login("bob@example.org", "wrong").at("/error/message"));
}

TEST_F(SignInTest, stopsGuessersOfOneUserAndLetsOthersIn) {
    accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    accounts.sign_in_as("bob@example.org", "viewer", {"default"});
    for (int i = 0; i < Attempts::of_user_and_address; ++i)
        ASSERT_EQ(login("ann@example.org", "wrong").status, 401) << i;
    const Answer stopped = login("ann@example.org", TestAccounts::password);
    EXPECT_EQ(stopped.status, 429);
    EXPECT_EQ(stopped.at("/error/code"), "\"TOO_MANY_REQUESTS\"");
    EXPECT_EQ(stopped.headers.get("retry-after"), "900");
    EXPECT_EQ(login("bob@example.org", TestAccounts::password).status, 200);
    api.head.peer = "192.0.2.7";
    EXPECT_EQ(login("ann@example.org", TestAccounts::password).status, 200);
}

TEST_F(SignInTest, takesAOneTimeLoginOnceAndAsksForAPassword) {
    const auto code = first_login(*accounts.catalog, now);
    ASSERT_TRUE(code && *code);
    ASSERT_TRUE(accounts.authority->refresh());
    const std::string body = fmt::format(R"({{"code":"{}"}})", (*code)->reveal());
    const Answer first = post("/api/v1/auth/login", body);
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.at("/password_needed"), "true");
    EXPECT_EQ(first.at("/user/role"), "\"admin\"");
    EXPECT_EQ(post("/api/v1/auth/login", body).status, 401);
    const std::string token = unquoted(first.at("/access_token"));
    EXPECT_EQ(post("/api/v1/auth/password", R"({"new_password":"short"})", bearer(token)).at("/error/field"),
              "\"new_password\"");
    EXPECT_EQ(post("/api/v1/auth/password", R"({"new_password":"long enough"})", bearer(token)).status, 204);
    EXPECT_EQ(login("admin@localhost", "long enough").status, 200);
    EXPECT_EQ(first_login(*accounts.catalog, now).value(), std::nullopt);
}

TEST_F(SignInTest, needsTheCurrentPasswordForANewOneAndEndsOtherSessions) {
    const std::string token = accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const std::string other = unquoted(login("ann@example.org", TestAccounts::password).at("/access_token"));
    EXPECT_EQ(post("/api/v1/auth/password", R"({"new_password":"another password"})", bearer(token)).status,
              401);
    EXPECT_EQ(me(other).status, 200);
    const std::string body = fmt::format(R"({{"current_password":"{}","new_password":"another password"}})",
                                         TestAccounts::password);
    EXPECT_EQ(post("/api/v1/auth/password", body, bearer(token)).status, 204);
    EXPECT_EQ(me(token).status, 200);
    EXPECT_EQ(me(other).status, 401);
    EXPECT_EQ(login("ann@example.org", TestAccounts::password).status, 401);
}

TEST_F(SignInTest, logoutEndsTheTokenAtOnce) {
    const std::string token = accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const std::string command = accounts.authority->tokens().issue({.role = Role::admin}, now).value();
    for (const std::string& one : {token, command}) {
        EXPECT_EQ(me(one).status, 200);
        EXPECT_EQ(post("/api/v1/auth/logout", "", bearer(one)).status, 204);
        EXPECT_EQ(me(one).at("/error/code"), "\"INVALID_TOKEN\"");
    }
}

TEST_F(SignInTest, showsAndEndsOnesOwnSessionsAlone) {
    const std::string ann = accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const std::string bob = accounts.sign_in_as("bob@example.org", "viewer", {"default"});
    const Answer sessions = api.ask("GET", "/api/v1/auth/sessions", "", bearer(ann));
    EXPECT_EQ(sessions.at("/pagination/total"), "1") << sessions.body;
    const std::string path = "/api/v1/auth/sessions/" + unquoted(sessions.at("/sessions/0/id"));
    EXPECT_EQ(api.ask("DELETE", path, "", bearer(bob)).status, 404);
    EXPECT_EQ(api.ask("DELETE", path, "", bearer(ann)).status, 204);
    EXPECT_EQ(me(ann).status, 401);
    EXPECT_EQ(me(bob).status, 200);
}

class KeyTest : public SignInTest {
protected:
    NewApiKey key(std::vector<std::string> scopes, std::optional<UnixNanos> expires = {}) {
        const auto made = accounts.catalog->create_key(
            {.name = "k", .scopes = std::move(scopes), .projects = {"default"}, .expires = expires}, now);
        EXPECT_TRUE(accounts.authority->refresh());
        return made.value();
    }
    static Fields x_api_key(const NewApiKey& key) { return {{"x-api-key", key.text.reveal()}}; }
    Answer buy(std::string_view id, std::string_view secret) {
        return post("/api/v1/auth/token",
                    fmt::format(R"({{"client_id":"{}","client_secret":"{}"}})", id, secret));
    }
};

TEST_F(KeyTest, asksWithinItsScopes) {
    const NewApiKey reads = key({"read:traces"});
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", x_api_key(reads)).status, 200);
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", bearer(reads.text.reveal())).status, 200);
    const Answer refused = api.ask("GET", "/api/v1/models/unpriced", "", x_api_key(reads));
    EXPECT_EQ(refused.at("/error/code"), "\"INSUFFICIENT_PERMISSIONS\"");
    const Answer sends = api.ask("GET", "/api/v1/traces", "", x_api_key(key({"ingest"})));
    EXPECT_EQ(sends.status, 401);
    EXPECT_EQ(sends.at("/error/code"), "\"INVALID_API_KEY\"");
}

TEST_F(KeyTest, buysATokenThatEndsWithIt) {
    const NewApiKey reads = key({"read:traces"}, now + Nanos::seconds(600));
    const Answer bought = buy(reads.key.id, reads.text.reveal());
    ASSERT_EQ(bought.status, 200) << bought.body;
    EXPECT_EQ(bought.at("/expires_in"), "600");
    const std::string token = unquoted(bought.at("/access_token"));
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", bearer(token)).status, 200);
    EXPECT_EQ(me(token).at("/permissions"), R"(["read:traces"])");
    EXPECT_EQ(me(token).at("/key_id"), "\"" + reads.key.id + "\"");
    ASSERT_TRUE(accounts.catalog->revoke_key(reads.key.id, now));
    ASSERT_TRUE(accounts.authority->refresh());
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", bearer(token)).status, 401);
    EXPECT_EQ(buy(reads.key.id, reads.text.reveal()).status, 401);
}

TEST_F(KeyTest, isBoughtByAFormToo) {
    const NewApiKey reads = key({"read:traces"});
    const std::string form = fmt::format("grant_type=client_credentials&client_id={}&client_secret={}",
                                         reads.key.id, reads.text.reveal());
    const Answer bought = post("/auth/token", form, {{"content-type", "application/x-www-form-urlencoded"}});
    EXPECT_EQ(bought.status, 200) << bought.body;
    const std::string json =
        fmt::format(R"({{"client_id":"{}","client_secret":"{}"}})", reads.key.id, reads.text.reveal());
    const Fields as_curl_says{{"content-type", "application/x-www-form-urlencoded"}};
    EXPECT_EQ(post("/auth/token", json, as_curl_says).status, 200);
    EXPECT_EQ(post("/auth/token", "client_id=a", as_curl_says).at("/error/field"), "\"client_secret\"");
}

TEST_F(KeyTest, isNotBoughtWithAnothersName) {
    const NewApiKey mine = key({"read:traces"}), other = key({"read:costs"});
    EXPECT_EQ(buy(other.key.id, mine.text.reveal()).status, 401);
    EXPECT_EQ(buy(mine.key.id, "llmo_sk_live_" + std::string(40, 'x')).status, 401);
    EXPECT_EQ(buy("nothing", mine.text.reveal()).status, 401);
    const Answer grant =
        post("/api/v1/auth/token", R"({"client_id":"a","client_secret":"b","grant_type":"password"})");
    EXPECT_EQ(grant.at("/error/field"), "\"grant_type\"");
}

TEST_F(KeyTest, hasNoPasswordAndNoSessions) {
    const NewApiKey everything = key({"*"});
    EXPECT_EQ(
        post("/api/v1/auth/password", R"({"new_password":"long enough"})", x_api_key(everything)).status,
        403);
    EXPECT_EQ(api.ask("GET", "/api/v1/auth/sessions", "", x_api_key(everything)).status, 403);
    EXPECT_EQ(post("/api/v1/auth/logout", "", x_api_key(everything)).status, 400);
}

TEST_F(SignInTest, showsTheProjectsThatOneSees) {
    ASSERT_TRUE(accounts.catalog->create_project("Shop", now));
    const std::string ann = accounts.sign_in_as("ann@example.org", "viewer", {"shop"});
    const std::string bob = accounts.sign_in_as("bob@example.org", "admin", {});
    EXPECT_EQ(api.ask("GET", "/api/v1/projects", "", bearer(ann)).at("/projects/0/id"), "\"shop\"");
    EXPECT_EQ(api.ask("GET", "/api/v1/projects", "", bearer(ann)).at("/pagination/total"), "1");
    EXPECT_EQ(api.ask("GET", "/api/v1/projects", "", bearer(bob)).at("/pagination/total"), "2");
}

TEST_F(SignInTest, lookingAtTheLoginAddressUsesNothingUp) {
    const auto code = first_login(*accounts.catalog, now);
    const std::string& text = (*code)->reveal();
    const Answer page = api.ask("GET", "/login?code=" + text, "", {});
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body.find(text), std::string::npos);
    EXPECT_EQ(post("/api/v1/auth/login", fmt::format(R"({{"code":"{}"}})", text)).status, 200);
}

}  // namespace
}  // namespace obs::serve::test
