// Managing users, roles, keys, sessions and projects; and nobody gives away what they do not have.
#include <functional>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

std::string unquoted(std::string text) {
    return text.size() < 2 ? text : text.substr(1, text.size() - 2);
}

class AdminTest : public testing::Test {
protected:
    AdminTest() { ASSERT_OK(accounts.catalog->create_project("Shop", now)); }

    Answer ask(std::string_view method, std::string_view path, std::string_view body = "",
               std::string_view token = {}) {
        return api.ask(method, "/api/v1/admin" + std::string(path), body,
                       {{"authorization", "Bearer " + (token.empty() ? admin : std::string(token))}});
    }
    // A signed-in user whose role has these permissions.
    std::string with(std::string_view name, std::vector<std::string> permissions,
                     std::vector<std::string> projects = {"default"}) {
        ASSERT_OK(Accounts(*accounts.catalog).create_role("default", name, permissions, now));
        return accounts.sign_in_as(std::string(name) + "@example.org", name, std::move(projects));
    }
    std::string id_of_user(std::string_view email) {
        return Accounts(*accounts.catalog).user_by_email(email).value().value().id;
    }
    template <class T>
    static void ASSERT_OK(const Result<T>& result) {
        if (!result) throw std::runtime_error(result.error().message);
    }
    bool works(std::string_view token) {
        return api.ask("GET", "/api/v1/auth/me", "", {{"authorization", fmt::format("Bearer {}", token)}})
                   .status == 200;
    }

    TestAccounts accounts{now};
    TestApi api{{}, nullptr, &accounts};
    std::string admin = accounts.sign_in_as("admin@example.org", "admin", {});
};

TEST_F(AdminTest, makesUsersWhoSignInByTheCode) {
    const Answer made =
        ask("POST", "/users",
            R"({"email":"ann@example.org","name":"Ann","role":"Developer","projects":["shop"]})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.at("/user/role"), "\"developer\"");
    EXPECT_EQ(made.at("/login/expires_at"), "\"2026-01-09T13:15:00Z\"");
    const Answer login =
        api.ask("POST", "/api/v1/auth/login", R"({"code":)" + made.at("/login/code") + "}", {});
    EXPECT_EQ(login.status, 200) << login.body;
    EXPECT_EQ(login.at("/user/id"), made.at("/user/id"));
    EXPECT_EQ(ask("POST", "/users", R"({"email":"ANN@example.org","role":"viewer"})").at("/error/code"),
              "\"RESOURCE_ALREADY_EXISTS\"");
    EXPECT_EQ(ask("GET", "/users?limit=1&offset=1").at("/users/0/email"), "\"ann@example.org\"");
    EXPECT_EQ(ask("GET", "/users").at("/pagination/total"), "2");
}

TEST_F(AdminTest, changesCountAtOnce) {
    const std::string ann = accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const std::string path = "/users/" + id_of_user("ann@example.org");
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", {{"authorization", "Bearer " + ann}}).status, 200);
    EXPECT_EQ(ask("PATCH", path, R"({"role":"billing"})").status, 200);
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", {{"authorization", "Bearer " + ann}}).status, 403);
    EXPECT_EQ(ask("PATCH", path, R"({"active":false})").at("/active"), "false");
    EXPECT_FALSE(works(ann));
    EXPECT_EQ(ask("PATCH", path, R"({"active":true})").status, 200);
    EXPECT_FALSE(works(ann)) << "a session that ended stays ended";
}

TEST_F(AdminTest, resetsAUserToAOneTimeLogin) {
    const std::string ann = accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const Answer reset = ask("POST", "/users/" + id_of_user("ann@example.org") + "/login-code");
    EXPECT_EQ(reset.status, 200);
    EXPECT_FALSE(works(ann));
    const auto with_password = accounts.sign_in->with_password(
        "ann@example.org", Secret(std::string(TestAccounts::password)), {.address = "::1"}, now);
    EXPECT_FALSE(with_password);
    EXPECT_EQ(api.ask("POST", "/api/v1/auth/login", R"({"code":)" + reset.at("/login/code") + "}", {}).status,
              200);
}

TEST_F(AdminTest, deletesAUserWithKeysAndSessions) {
    const std::string ann = accounts.sign_in_as("ann@example.org", "admin", {});
    const Answer key = ask("POST", "/keys", R"({"scopes":["read:traces"]})", ann);
    ASSERT_EQ(key.status, 201) << key.body;
    const std::string text = unquoted(key.at("/key"));
    EXPECT_TRUE(works(text));
    EXPECT_EQ(ask("DELETE", "/users/" + id_of_user("ann@example.org")).status, 204);
    EXPECT_FALSE(works(ann));
    EXPECT_FALSE(works(text));
}

TEST_F(AdminTest, keepsTheLastAdmin) {
    const std::string path = "/users/" + id_of_user("admin@example.org");
    EXPECT_EQ(ask("DELETE", path).status, 409);
    EXPECT_EQ(ask("PATCH", path, R"({"active":false})").status, 409);
    EXPECT_EQ(ask("PATCH", path, R"({"role":"viewer"})").status, 409);
    accounts.sign_in_as("ann@example.org", "admin", {});
    EXPECT_EQ(ask("PATCH", path, R"({"role":"viewer"})").status, 200);
}

TEST_F(AdminTest, makesKeysThatAreShownOnce) {
    const Answer made = ask("POST", "/keys",
                            R"({"name":"ci","scopes":["ingest","traces:read"],"projects":["shop"],)"
                            R"("expires_at":"2026-02-01T00:00:00Z","requests_per_minute":60,"test":true})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string text = unquoted(made.at("/key"));
    EXPECT_TRUE(text.starts_with("llmo_sk_test_"));
    EXPECT_EQ(made.at("/details/scopes"), R"(["ingest","read:traces"])");
    const Answer list = ask("GET", "/keys");
    EXPECT_EQ(list.body.find(text), std::string::npos);
    EXPECT_EQ(list.at("/keys/0/requests_per_minute"), "60");
    EXPECT_TRUE(works(text));
    EXPECT_EQ(ask("DELETE", "/keys/" + unquoted(made.at("/details/id"))).status, 204);
    EXPECT_FALSE(works(text));
    EXPECT_NE(ask("GET", "/keys/" + unquoted(made.at("/details/id"))).at("/revoked_at"), "");
}

TEST_F(AdminTest, aKeyNeverDoesMoreThanItsOwnerMayNow) {
    const std::string ann = with("maker", {"manage:keys", "read:traces"}, {"default"});
    const Answer made = ask("POST", "/keys", R"({"scopes":["read:traces"]})", ann);
    ASSERT_EQ(made.status, 201) << made.body;
    const Fields key{{"x-api-key", unquoted(made.at("/key"))}};
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", key).status, 200);
    EXPECT_EQ(api.ask("GET", "/api/v1/traces?project_id=shop", "", key).status, 403);
    const std::string path = "/users/" + id_of_user("maker@example.org");
    ASSERT_EQ(ask("PATCH", path, R"({"role":"billing"})").status, 200);
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", key).status, 403);
    ASSERT_EQ(ask("PATCH", path, R"({"active":false})").status, 200);
    EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", key).status, 401);
}

TEST_F(AdminTest, aCustomRoleTakesEffect) {
    const Answer made = ask("POST", "/roles",
                            R"({"name":"auditor","permissions":["traces:read","read:traces","read:audit"]})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.at("/permissions"), R"(["read:traces","read:audit"])");
    const std::string ann = accounts.sign_in_as("ann@example.org", "auditor", {"default"});
    const std::string by_token =
        accounts.authority->tokens().issue({.role = Role::custom, .role_name = "auditor"}, now).value();
    for (const std::string& token : {ann, by_token}) {
        const Fields headers{{"authorization", "Bearer " + token}};
        EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", headers).status, 200);
        EXPECT_EQ(api.ask("GET", "/api/v1/models/unpriced", "", headers).status, 403);
    }
    const std::string path = "/roles/" + unquoted(made.at("/id"));
    EXPECT_EQ(ask("DELETE", path).status, 409) << "somebody has it";
    EXPECT_EQ(ask("PATCH", path, R"({"permissions":["read:costs"]})").status, 200);
    for (const std::string& token : {ann, by_token}) {
        const Fields headers{{"authorization", "Bearer " + token}};
        EXPECT_EQ(api.ask("GET", "/api/v1/traces", "", headers).status, 403);
        EXPECT_EQ(api.ask("GET", "/api/v1/models/unpriced", "", headers).status, 200);
    }
}

TEST_F(AdminTest, listsRolesWithTheBuiltInOnesFirst) {
    with("one", {"read:traces"});
    with("two", {"read:traces"});
    const auto names = [&](std::string_view query) {
        const Answer answer = ask("GET", "/roles?" + std::string(query));
        std::string text;
        for (int i = 0; !answer.at(fmt::format("/roles/{}/name", i)).empty(); ++i)
            text += unquoted(answer.at(fmt::format("/roles/{}/name", i))) + " ";
        return text + answer.at("/pagination/total");
    };
    EXPECT_EQ(names("").substr(0, 32), "admin developer viewer billing o");
    EXPECT_EQ(names("limit=3&offset=1"), "developer viewer billing 6");
    EXPECT_EQ(names("limit=2&offset=4").size(), std::string("one two 6").size());
    EXPECT_EQ(names("limit=2&offset=6"), "6");
}

TEST_F(AdminTest, managesProjects) {
    const Answer made = ask("POST", "/projects", R"({"name":"Kunden & Support"})");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.at("/id"), "\"kunden-support\"");
    EXPECT_EQ(ask("POST", "/projects", R"({"name":"Kunden & Support"})").status, 409);
    EXPECT_EQ(ask("PATCH", "/projects/kunden-support", R"({"name":"Support"})").at("/name"), "\"Support\"");
    const Answer key = ask("POST", "/keys", R"({"scopes":["ingest"],"projects":["kunden-support"]})");
    EXPECT_EQ(ask("DELETE", "/projects/kunden-support").status, 204);
    EXPECT_NE(ask("GET", "/projects/kunden-support").at("/archived_at"), "");
    EXPECT_NE(ask("GET", "/keys/" + unquoted(key.at("/details/id"))).at("/revoked_at"), "");
    EXPECT_EQ(ask("DELETE", "/projects/default").status, 400);
}

TEST_F(AdminTest, keepsTheSettingsOfAProject) {
    EXPECT_EQ(ask("GET", "/projects/shop/settings").body,
              R"({"time_zone":"UTC","viewers_read_content":false})");
    EXPECT_EQ(
        ask("PATCH", "/projects/shop/settings", R"({"time_zone":"Europe/Berlin","keep_rows_days":10})").body,
        R"({"time_zone":"Europe/Berlin","keep_rows_days":10,"viewers_read_content":false})");
    EXPECT_EQ(
        ask("PATCH", "/projects/shop/settings", R"({"keep_rows_days":null,"viewers_read_content":true})")
            .body,
        R"({"time_zone":"Europe/Berlin","viewers_read_content":true})");
    for (const auto& [body, field] : {std::pair(R"({"time_zone":"../etc/passwd"})", "time_zone"),
                                      {R"({"keep_rows_days":0})", "keep_rows_days"},
                                      {R"({"keep_rows_days":"ten"})", "keep_rows_days"},
                                      {R"({"colour":"red"})", "colour"}}) {
        const Answer refused = ask("PATCH", "/projects/shop/settings", body);
        EXPECT_EQ(refused.status, 400) << body;
        EXPECT_EQ(unquoted(refused.at("/error/field")), field);
    }
}

TEST_F(AdminTest, openContentIsReadByViewersOfThatProjectAlone) {
    const std::string shop = accounts.sign_in_as("ann@example.org", "viewer", {"shop"});
    const std::string both = accounts.sign_in_as("bob@example.org", "viewer", {"shop", "default"});
    ASSERT_EQ(ask("PATCH", "/projects/shop/settings", R"({"viewers_read_content":true})").status, 200);
    EXPECT_TRUE((*accounts.authority->of(shop, now))->may("read:content"));
    EXPECT_FALSE((*accounts.authority->of(both, now))->may("read:content"));
}

TEST_F(AdminTest, endsSessionsAtOnce) {
    const std::string ann = accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const Answer list = ask("GET", "/sessions?user_id=" + id_of_user("ann@example.org"));
    ASSERT_EQ(list.at("/pagination/total"), "1") << list.body;
    EXPECT_EQ(ask("DELETE", "/sessions/" + unquoted(list.at("/sessions/0/id"))).status, 204);
    EXPECT_FALSE(works(ann));
    EXPECT_TRUE(works(admin));
}

struct BadCase {
    std::string what, method, path, body;
    int status;
    std::string field;
};
class BadInput : public AdminTest, public testing::WithParamInterface<BadCase> {};
TEST_P(BadInput, isRefusedByName) {
    const Answer answer = ask(GetParam().method, GetParam().path, GetParam().body);
    EXPECT_EQ(answer.status, GetParam().status) << answer.body;
    if (!GetParam().field.empty()) {
        EXPECT_EQ(unquoted(answer.at("/error/field")), GetParam().field);
    }
    EXPECT_TRUE(works(admin));
}
INSTANTIATE_TEST_SUITE_P(
    Admin, BadInput,
    testing::Values(
        BadCase{"user_without_email", "POST", "/users", R"({"role":"viewer"})", 400, "email"},
        BadCase{"user_without_role", "POST", "/users", R"({"email":"a@b"})", 400, "role"},
        BadCase{"email_without_at", "POST", "/users", R"({"email":"ann","role":"viewer"})", 400, "email"},
        BadCase{"email_as_header", "POST", "/users", R"({"email":"a@b\r\nbcc: c@d","role":"viewer"})", 400,
                "email"},
        BadCase{"unknown_role", "POST", "/users", R"({"email":"a@b","role":"root"})", 400, "role"},
        BadCase{"unknown_project", "POST", "/users", R"({"email":"a@b","role":"viewer","projects":["x"]})",
                400, "projects"},
        BadCase{"project_list_by_comma", "POST", "/users",
                R"({"email":"a@b","role":"viewer","projects":["default,shop"]})", 400, "projects"},
        BadCase{"projects_as_text", "POST", "/users", R"({"email":"a@b","role":"viewer","projects":"shop"})",
                400, "projects"},
        BadCase{"no_such_user", "GET", "/users/0", "", 404, ""},
        BadCase{"sql_as_id", "GET", "/users/'%20OR%201=1--", "", 404, "user_id"},
        BadCase{"path_as_id", "GET", "/users/..%2f..%2fetc", "", 404, "user_id"},
        BadCase{"zero_byte_in_id", "DELETE", "/projects/shop%00x", "", 404, "project_id"},
        BadCase{"no_such_role", "DELETE", "/roles/0", "", 404, ""},
        BadCase{"no_such_key", "DELETE", "/keys/0", "", 404, ""},
        BadCase{"no_such_session", "DELETE", "/sessions/0", "", 404, ""},
        BadCase{"no_such_project", "GET", "/projects/0/settings", "", 404, ""},
        BadCase{"sessions_of_nobody", "GET", "/sessions?user_id=0", "", 404, ""},
        BadCase{"role_with_a_built_in_name", "POST", "/roles", R"({"name":"admin","permissions":[]})", 409,
                "name"},
        BadCase{"role_in_capitals", "POST", "/roles", R"({"name":"Admins","permissions":[]})", 400, "name"},
        BadCase{"unknown_permission", "POST", "/roles", R"({"name":"r","permissions":["fly:high"]})", 400,
                "permissions"},
        BadCase{"permission_list_by_comma", "POST", "/roles",
                R"({"name":"r","permissions":["read:traces,*"]})", 400, "permissions"},
        BadCase{"role_without_permissions", "POST", "/roles", R"({"name":"r"})", 400, "permissions"},
        BadCase{"key_without_scopes", "POST", "/keys", "{}", 400, "scopes"},
        BadCase{"key_with_no_scope", "POST", "/keys", R"({"scopes":[]})", 400, "scopes"},
        BadCase{"ingest_without_project", "POST", "/keys", R"({"scopes":["ingest"]})", 400, "projects"},
        BadCase{"ingest_into_two", "POST", "/keys", R"({"scopes":["ingest"],"projects":["default","shop"]})",
                400, "projects"},
        BadCase{"key_of_the_past", "POST", "/keys",
                R"({"scopes":["read:traces"],"expires_at":"2020-01-01T00:00:00Z"})", 400, "expires_at"},
        BadCase{"quota_of_nothing", "POST", "/keys",
                R"({"scopes":["ingest"],"projects":["shop"],"bytes_per_second":0})", 400, "bytes_per_second"},
        BadCase{"project_without_name", "POST", "/projects", R"({"name":""})", 400, "name"},
        BadCase{"no_json", "POST", "/projects", "name", 400, ""},
        BadCase{"a_page_too_large", "GET", "/users?limit=1001", "", 400, "limit"},
        BadCase{"a_negative_offset", "GET", "/users?offset=-1", "", 400, "offset"}),
    [](const auto& test) { return test.param.what; });

// Who may manage something and tries to get more by it.
struct Climb {
    std::string what;
    std::vector<std::string> permissions;
    std::string method, path, body;
};
class Climbers : public AdminTest, public testing::WithParamInterface<Climb> {};
TEST_P(Climbers, stayWhereTheyAre) {
    accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    accounts.sign_in_as("sue@example.org", "viewer", {"shop"});
    ASSERT_OK(Accounts(*accounts.catalog).create_role("default", "costly", {"read:costs"}, now));
    const std::string climber = with("climber", GetParam().permissions);
    std::string path = GetParam().path;
    for (const auto& [mark, id] :
         {std::pair("{admin}", id_of_user("admin@example.org")),
          {"{ann}", id_of_user("ann@example.org")},
          {"{sue}", id_of_user("sue@example.org")},
          {"{self}", id_of_user("climber@example.org")},
          {"{costly}", Accounts(*accounts.catalog).role_by_name("default", "costly").value()->id}})
        if (const std::size_t at = path.find(mark); at != std::string::npos)
            path.replace(at, std::string_view(mark).size(), id);
    const Answer answer = ask(GetParam().method, path, GetParam().body, climber);
    EXPECT_EQ(answer.status, 403) << answer.body;
    EXPECT_EQ(answer.at("/error/code"), "\"RESOURCE_ACCESS_DENIED\"");
}
const std::vector<std::string> manages_users{"manage:users", "read:traces",      "read:metrics", "read:costs",
                                             "read:exports", "download:exports", "read:alerts"};
INSTANTIATE_TEST_SUITE_P(
    Admin, Climbers,
    testing::Values(
        Climb{"make_an_admin", manages_users, "POST", "/users", R"({"email":"a@b","role":"admin"})"},
        Climb{"make_a_developer", manages_users, "POST", "/users", R"({"email":"a@b","role":"developer"})"},
        Climb{"become_admin", manages_users, "PATCH", "/users/{self}", R"({"role":"admin"})"},
        Climb{"add_a_project", manages_users, "PATCH", "/users/{self}", R"({"projects":["default","shop"]})"},
        Climb{"raise_another", manages_users, "PATCH", "/users/{ann}", R"({"role":"admin"})"},
        Climb{"take_over_the_admin", manages_users, "POST", "/users/{admin}/login-code", ""},
        Climb{"take_over_another_project", manages_users, "POST", "/users/{sue}/login-code", ""},
        Climb{"rename_the_admin", manages_users, "PATCH", "/users/{admin}", R"({"email":"me@example.org"})"},
        Climb{"lock_the_admin_out", manages_users, "PATCH", "/users/{admin}", R"({"active":false})"},
        Climb{"delete_the_admin", manages_users, "DELETE", "/users/{admin}", ""},
        Climb{
            "role_of_everything", {"manage:roles"}, "POST", "/roles", R"({"name":"r","permissions":["*"]})"},
        Climb{"role_of_more",
              {"manage:roles"},
              "POST",
              "/roles",
              R"({"name":"r","permissions":["read:costs"]})"},
        Climb{"widen_a_role",
              {"manage:roles", "read:costs"},
              "PATCH",
              "/roles/{costly}",
              R"({"permissions":["read:costs","read:content"]})"},
        Climb{
            "narrow_a_role_of_others", {"manage:roles"}, "PATCH", "/roles/{costly}", R"({"permissions":[]})"},
        Climb{"key_of_everything", {"manage:keys"}, "POST", "/keys", R"({"scopes":["*"]})"},
        Climb{"key_of_more", {"manage:keys"}, "POST", "/keys", R"({"scopes":["costs:read"]})"},
        Climb{"key_into_another_project",
              {"manage:keys"},
              "POST",
              "/keys",
              R"({"scopes":["ingest"],"projects":["shop"]})"},
        Climb{"settings_of_another_project",
              {"manage:projects"},
              "PATCH",
              "/projects/shop/settings",
              R"({"time_zone":"UTC"})"},
        Climb{"archive_another_project", {"manage:projects"}, "DELETE", "/projects/shop", ""},
        Climb{"open_content",
              {"manage:projects"},
              "PATCH",
              "/projects/default/settings",
              R"({"viewers_read_content":true})"}),
    [](const auto& test) { return test.param.what; });

TEST_F(AdminTest, helpersDoWhatTheyHave) {
    const std::string helper = with("helper", manages_users);
    accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    EXPECT_EQ(
        ask("POST", "/users", R"({"email":"a@b","role":"viewer","projects":["default"]})", helper).status,
        201);
    EXPECT_EQ(ask("POST", "/users/" + id_of_user("ann@example.org") + "/login-code", "", helper).status, 200);
    const std::string maker = with("maker", {"manage:projects"});
    ASSERT_EQ(ask("POST", "/projects", R"({"name":"Mine"})", maker).status, 201);
    EXPECT_EQ(ask("PATCH", "/projects/mine", R"({"name":"Ours"})", maker).status, 200);
}

TEST_F(AdminTest, seesNothingOfOtherOrganisations) {
    const std::string foreign = accounts.authority->tokens()
                                    .issue({.role = Role::admin, .org = "umbrella", .projects = {}}, now)
                                    .value();
    accounts.sign_in_as("ann@example.org", "viewer", {"default"});
    const Answer key = ask("POST", "/keys", R"({"scopes":["ingest"],"projects":["shop"]})");
    const Answer role = ask("POST", "/roles", R"({"name":"r","permissions":[]})");
    const Answer session = ask("GET", "/sessions");
    for (const std::string& path :
         {"/users/" + id_of_user("ann@example.org"), "/keys/" + unquoted(key.at("/details/id")),
          "/roles/" + unquoted(role.at("/id")), "/sessions/" + unquoted(session.at("/sessions/0/id")),
          std::string("/projects/shop")})
        EXPECT_EQ(ask("DELETE", path, "", foreign).status, 404) << path;
    for (const char* list : {"/users", "/keys", "/sessions", "/projects"})
        EXPECT_EQ(ask("GET", list, "", foreign).at("/pagination/total"), "0") << list;
    EXPECT_EQ(ask("GET", "/roles", "", foreign).at("/pagination/total"), "4");
    EXPECT_EQ(ask("POST", "/users", R"({"email":"a@b","role":"viewer","projects":["shop"]})", foreign)
                  .at("/error/field"),
              "\"projects\"");
}

// ---- every route of the router, for every role

constexpr std::string_view nobody = "none";

struct Allowance {
    std::string_view permission;
    std::set<std::string_view> roles;  // beside admin
};
// Contract section 3, "Required set", and decision 32; `custom` is what the test below makes.
const Allowance allowances[] = {
    {"", {"developer", "viewer", "billing", "custom"}},
    {"read:traces", {"developer", "viewer", "custom"}},
    {"read:metrics", {"developer", "viewer"}},
    {"read:costs", {"developer", "viewer", "billing"}},
    {"read:usage", {"billing"}},
    {"read:content", {"developer"}},
    {"read:exports", {"developer", "viewer", "billing"}},
    {"create:exports", {"developer"}},
    {"download:exports", {"developer", "viewer"}},
    {"cancel:exports", {"developer"}},
    {"export:costs", {"billing"}},
    {"read:alerts", {"developer", "viewer"}},
    {"query:metrics", {"developer"}},
    {"write:evaluations", {"developer"}},
    {"write:feedback", {"developer"}},
    {"manage:budgets", {"billing"}},
    {"manage:prices", {}},
    {"manage:users", {}},
    {"manage:roles", {}},
    {"manage:keys", {"custom"}},
    {"manage:projects", {}},
    {"read:audit", {}},
    {"export:audit", {}},
};

std::string target_of(const Route& route) {
    std::string target;
    for (std::string_view rest = route.pattern; !rest.empty();) {
        const std::size_t end = std::min(rest.find('/', 1), rest.size());
        const std::string_view part = rest.substr(0, end);
        target += part.starts_with("/:") ? "/0000000000000000" : std::string(part);
        rest.remove_prefix(end);
    }
    return target;
}

TEST(RoleByRoute, isAsTheContractSays) {
    TestAccounts accounts(now);
    ASSERT_TRUE(
        Accounts(*accounts.catalog).create_role("default", "custom-1", {"traces:read", "keys:manage"}, now));
    const std::string signing = accounts.sign_in_as("custom@example.org", "custom-1", {"default"});
    TestApi api({}, nullptr, &accounts);
    std::size_t asked = 0;
    for (const Route& route : api.service->routes()) {
        const auto* allowance = std::ranges::find(allowances, route.permission, &Allowance::permission);
        ASSERT_NE(allowance, std::end(allowances))
            << route.method << " " << route.pattern << ": say here who has " << route.permission;
        std::set<std::string_view> may = allowance->roles;
        if (!route.or_permission.empty()) {
            const auto* instead = std::ranges::find(allowances, route.or_permission, &Allowance::permission);
            ASSERT_NE(instead, std::end(allowances)) << route.or_permission;
            may.insert(instead->roles.begin(), instead->roles.end());
        }
        if (!route.permission.empty()) {
            EXPECT_NE(std::ranges::find(all_permissions, route.permission), all_permissions.end())
                << route.permission << " can be given to nobody";
        }
        for (const std::string_view role : {"admin", "developer", "viewer", "billing", "custom", "none"}) {
            Fields headers;
            // A new token each time: the logout is one of the routes.
            if (role != nobody) {
                const auto built_in = role_from(role);
                const TokenRequest request{.role = built_in.value_or(Role::custom),
                                           .role_name = built_in ? "" : "custom-1"};
                headers.emplace_back("authorization",
                                     "Bearer " + accounts.authority->tokens().issue(request, now).value());
            }
            const bool needs_token =
                route.access == Access::token ||
                (route.access == Access::open_on_loopback && !api.head.listener_on_loopback);
            const Answer answer = api.ask(route.method, target_of(route), "", headers);
            const std::string code =
                answer.body.starts_with('{') && answer.status >= 400 ? answer.at("/error/code") : "";
            const std::string where =
                fmt::format("{} {} as {}: {}", route.method, route.pattern, role, answer.body);
            ++asked;
            if (needs_token && role == nobody) {
                EXPECT_EQ(code, "\"MISSING_AUTHORIZATION\"") << where;
            } else if (needs_token && role != "admin" && !may.contains(role)) {
                EXPECT_EQ(code, "\"INSUFFICIENT_PERMISSIONS\"") << where;
            } else {
                EXPECT_NE(code, "\"INSUFFICIENT_PERMISSIONS\"") << where;
                EXPECT_NE(code, "\"MISSING_AUTHORIZATION\"") << where;
                EXPECT_NE(answer.status, 500) << where;
            }
        }
    }
    EXPECT_GT(asked, 200U);
    EXPECT_TRUE(accounts.authority->of(signing, now));
}

}  // namespace
}  // namespace obs::serve::test
