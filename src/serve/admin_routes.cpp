#include "serve/admin_routes.h"

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "serve/account_json.h"
#include "serve/json_body.h"
#include "serve/rights.h"

namespace obs::serve {
namespace {

constexpr std::size_t longest_email = 254, longest_name = 100, longest_id = 128;
constexpr std::int64_t most_a_second = 1'000'000'000'000, most_a_minute = 1'000'000'000;

// One request for something of the caller's organisation.
struct Asked {
    const AuthParts& parts;
    Catalog& catalog;
    Authority& authority;
    Accounts accounts;
    const Call& call;
    const Principal& who;

    Asked(const AuthParts& with, const Call& of)
        : parts(with),
          catalog(with.catalog),
          authority(with.authority),
          accounts(with.catalog),
          call(of),
          who(*of.principal) {}

    std::string_view body() const { return call.request.body.view(); }
    ApiResult<Page> page() const {
        return page_of(OBS_ANSWER(Parameters::read(page_parameters, call.request.head.query, call.now)));
    }
    // What changed counts from now on, here; others notice within a second.
    ApiResult<Reply> changed(Reply reply) const {
        OBS_ANSWER(authority.refresh());
        return reply;
    }
};

std::unexpected<ApiError> not_found(std::string_view what) {
    return refuse(ErrorCode::resource_not_found, "", "there is no such {}", what);
}

ApiResult<void> check(const Result<Change>& change, std::string_view what) {
    if (!change) return std::unexpected(api_error(change.error()));
    switch (*change) {
        case Change::done: return {};
        case Change::taken:
            return refuse(ErrorCode::resource_already_exists, "email", "another user has this email");
        case Change::last_admin:
            return refuse(ErrorCode::concurrency_conflict, "",
                          "this is the last active admin; make another one first");
        case Change::in_use: return refuse(ErrorCode::concurrency_conflict, "", "users have this role");
        case Change::gone: break;
    }
    return not_found(what);
}

// Projects of the organisation, by id.
ApiResult<void> check_projects(const Asked& asked, const std::vector<std::string>& ids,
                               std::string_view field) {
    for (const std::string& id : ids)
        if (!is_id(id) || !OBS_ANSWER(asked.catalog.project_of(asked.who.org, id)))
            return refuse(ErrorCode::invalid_field_value, std::string(field), "there is no project {:?}",
                          id.substr(0, longest_id));
    return {};
}

// ---- users

ApiResult<User> user_in_path(const Asked& asked) {
    const std::string id = OBS_ANSWER(id_of(asked.call, "user_id"));
    auto user = OBS_ANSWER(asked.accounts.user_of(asked.who.org, id));
    if (!user) return not_found("user");
    return *std::move(user);
}

// Whoever could become this user, by a new login for example, would have all of the user's rights.
ApiResult<void> may_touch(const Asked& asked, const User& user) {
    const auto rights = rights_of(asked.accounts, user.org, user.role, user.projects);
    // A role that was deleted meanwhile allows nothing.
    if (!rights && rights.error().code == ErrorCode::invalid_field_value) return {};
    if (!rights) return std::unexpected(rights.error());
    return may_give(asked.who, *rights, "to change this user");
}

ApiResult<std::string> email_in(const JsonBody& body) {
    std::string email = OBS_ANSWER(body.text("email", longest_email));
    const std::size_t at = email.find('@');
    if (at == 0 || at == std::string::npos || at + 1 == email.size() ||
        email.find_first_of(" \"<>(),:;\\") != std::string::npos)
        return refuse(ErrorCode::invalid_field_format, "email",
                      "email is an address such as ann@example.org");
    return email;
}

Reply user_with_login(const Asked& asked, const User& user, const Secret& code, int status) {
    Reply reply{.status = status};
    JsonWriter json(reply.body);
    json.begin_object().key("user");
    write_json(json, user);
    json.key("login").begin_object().field("code", code.reveal());
    json.field("expires_at", rfc3339(asked.call.now + Accounts::code_lifetime)).end_object().end_object();
    return reply;
}

ApiResult<Reply> list_users(Asked asked) {
    const Page page = OBS_ANSWER(asked.page());
    return list_reply("users", OBS_ANSWER(asked.accounts.users_of(asked.who.org, page)), page);
}

ApiResult<Reply> create_user(Asked asked) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.body(), "email name role projects"));
    UserRequest request{
        .org = asked.who.org,
        .email = OBS_ANSWER(email_in(body)),
        .name = {},
        .role = OBS_ANSWER(body.text("role", longest_name)),
        .projects =
            OBS_ANSWER(body.optional_texts("projects", longest_id)).value_or(std::vector<std::string>())};
    request.name = OBS_ANSWER(body.optional_text("name", longest_name)).value_or(request.email);
    if (const std::optional<Role> built_in = role_from(request.role)) request.role = name_of(*built_in);
    OBS_ANSWER(check_projects(asked, request.projects, "projects"));
    const Rights rights = OBS_ANSWER(rights_of(asked.accounts, request.org, request.role, request.projects));
    OBS_ANSWER(may_give(asked.who, rights, "to make this user"));
    const std::optional<User> user = OBS_ANSWER(asked.accounts.create_user(request, asked.call.now));
    if (!user) return refuse(ErrorCode::resource_already_exists, "email", "another user has this email");
    const Secret code = OBS_ANSWER(asked.accounts.create_login_code(user->id, asked.call.now));
    return asked.changed(user_with_login(asked, *user, code, 201));
}

ApiResult<Reply> show_user(Asked asked) {
    return one_reply(OBS_ANSWER(user_in_path(asked)));
}

ApiResult<UserChange> user_change(const Asked& asked, const User& user) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.body(), "email name role projects active"));
    UserChange change{.name = OBS_ANSWER(body.optional_text("name", longest_name)),
                      .role = OBS_ANSWER(body.optional_text("role", longest_name)),
                      .projects = OBS_ANSWER(body.optional_texts("projects", longest_id)),
                      .active = OBS_ANSWER(body.optional_flag("active"))};
    if (body.has("email")) change.email = OBS_ANSWER(email_in(body));
    if (change.role)
        if (const std::optional<Role> built_in = role_from(*change.role)) change.role = name_of(*built_in);
    if (change.projects) OBS_ANSWER(check_projects(asked, *change.projects, "projects"));
    if (change.role || change.projects) {
        const Rights rights = OBS_ANSWER(rights_of(asked.accounts, user.org, change.role.value_or(user.role),
                                                   change.projects.value_or(user.projects)));
        OBS_ANSWER(may_give(asked.who, rights, "to change this user so"));
    }
    return change;
}

ApiResult<Reply> change_user(Asked asked) {
    const User user = OBS_ANSWER(user_in_path(asked));
    OBS_ANSWER(may_touch(asked, user));
    const UserChange change = OBS_ANSWER(user_change(asked, user));
    OBS_ANSWER(check(asked.accounts.change_user(user, change, asked.call.now), "user"));
    return asked.changed(one_reply(OBS_ANSWER(user_in_path(asked))));
}

ApiResult<Reply> delete_user(Asked asked) {
    const User user = OBS_ANSWER(user_in_path(asked));
    OBS_ANSWER(may_touch(asked, user));
    OBS_ANSWER(check(asked.accounts.delete_user(user, asked.call.now), "user"));
    return asked.changed(Reply{.status = 204});
}

ApiResult<Reply> reset_user(Asked asked) {
    User user = OBS_ANSWER(user_in_path(asked));
    OBS_ANSWER(may_touch(asked, user));
    if (!user.active) return refuse(ErrorCode::concurrency_conflict, "", "this user is not active");
    OBS_ANSWER(asked.accounts.set_password(user.id, "", "", asked.call.now));
    const Secret code = OBS_ANSWER(asked.accounts.create_login_code(user.id, asked.call.now));
    user.has_password = false;
    return asked.changed(user_with_login(asked, user, code, 200));
}

// ---- roles

// Built-in ones first; they have no id.
ApiResult<Reply> list_roles(Asked asked) {
    const Page page = OBS_ANSWER(asked.page());
    Listed<CustomRole> listed;
    for (const Role role : all_roles)
        listed.items.push_back({.id = {},
                                .org = asked.who.org,
                                .name = std::string(name_of(role)),
                                .permissions = permissions_of(role),
                                .created = {}});
    const std::size_t built_in = listed.items.size();
    listed.items.erase(listed.items.begin(),
                       listed.items.begin() + static_cast<std::ptrdiff_t>(std::min(page.offset, built_in)));
    listed.items.resize(std::min(page.limit, listed.items.size()));
    const Page rest{.limit = page.limit - listed.items.size(),
                    .offset = page.offset - std::min(page.offset, built_in)};
    Listed<CustomRole> custom = OBS_ANSWER(asked.accounts.roles_of(asked.who.org, rest));
    std::ranges::move(custom.items, std::back_inserter(listed.items));
    listed.total = custom.total + static_cast<std::int64_t>(built_in);
    return list_reply("roles", listed, page);
}

ApiResult<CustomRole> role_in_path(const Asked& asked) {
    const std::string id = OBS_ANSWER(id_of(asked.call, "role_id"));
    auto role = OBS_ANSWER(asked.accounts.role_of(asked.who.org, id));
    if (!role) return not_found("role");
    return *std::move(role);
}

ApiResult<std::vector<std::string>> permissions_in(const Asked& asked, const JsonBody& body) {
    const auto given = OBS_ANSWER(body.optional_texts("permissions", longest_name));
    if (!given) return refuse(ErrorCode::missing_required_field, "permissions", "permissions is missing");
    std::vector<std::string> permissions = OBS_ANSWER(known_permissions(*given, "permissions"));
    OBS_ANSWER(may_give(asked.who, {.permissions = permissions, .projects = {}}, "this role"));
    return permissions;
}

bool is_role_name(std::string_view name) {
    return name.size() <= 50 && name.front() >= 'a' && name.front() <= 'z' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
           });
}

ApiResult<Reply> create_role(Asked asked) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.body(), "name permissions"));
    const std::string name = OBS_ANSWER(body.text("name", longest_name));
    if (!is_role_name(name))
        return refuse(ErrorCode::invalid_field_format, "name",
                      "the name of a role is a lower-case letter and up to 49 letters, digits, - and _");
    const std::vector<std::string> permissions = OBS_ANSWER(permissions_in(asked, body));
    const auto taken = [] {
        return refuse(ErrorCode::resource_already_exists, "name", "there is a role of this name already");
    };
    // `key` is what keys without an owner show as their role.
    if (role_from(name) || name == "key" || name == "custom") return taken();
    const auto role =
        OBS_ANSWER(asked.accounts.create_role(asked.who.org, name, permissions, asked.call.now));
    if (!role) return taken();
    return asked.changed(one_reply(*role, 201));
}

ApiResult<Reply> show_role(Asked asked) {
    return one_reply(OBS_ANSWER(role_in_path(asked)));
}

// Whoever has the role has what it allows: one who has less may not change it, not even to less.
ApiResult<void> may_touch(const Asked& asked, const CustomRole& role) {
    return may_give(asked.who, {.permissions = role.permissions, .projects = {}}, "to change this role");
}

ApiResult<Reply> change_role(Asked asked) {
    CustomRole role = OBS_ANSWER(role_in_path(asked));
    OBS_ANSWER(may_touch(asked, role));
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.body(), "permissions"));
    role.permissions = OBS_ANSWER(permissions_in(asked, body));
    OBS_ANSWER(check(asked.accounts.change_role(role, role.permissions), "role"));
    return asked.changed(one_reply(role));
}

ApiResult<Reply> delete_role(Asked asked) {
    const CustomRole role = OBS_ANSWER(role_in_path(asked));
    OBS_ANSWER(may_touch(asked, role));
    OBS_ANSWER(check(asked.accounts.delete_role(role), "role"));
    return asked.changed(Reply{.status = 204});
}

// ---- keys

ApiResult<Reply> list_keys(Asked asked) {
    const Page page = OBS_ANSWER(asked.page());
    return list_reply("keys", OBS_ANSWER(asked.catalog.keys_of(asked.who.org, page)), page);
}

ApiResult<ApiKey> key_in_path(const Asked& asked) {
    const std::string id = OBS_ANSWER(id_of(asked.call, "key_id"));
    auto key = OBS_ANSWER(asked.catalog.key_of(asked.who.org, id));
    if (!key) return not_found("key");
    return *std::move(key);
}

ApiResult<std::vector<std::string>> scopes_in(const JsonBody& body) {
    std::vector<std::string> given =
        OBS_ANSWER(body.optional_texts("scopes", longest_name)).value_or(std::vector<std::string>());
    if (given.empty())
        return refuse(ErrorCode::missing_required_field, "scopes",
                      "scopes is missing: ingest, or permissions");
    const bool sends = std::erase(given, ingest_scope) > 0;
    std::vector<std::string> scopes = OBS_ANSWER(known_permissions(given, "scopes"));
    if (sends) scopes.insert(scopes.begin(), std::string(ingest_scope));
    return scopes;
}

ApiResult<std::optional<UnixNanos>> expiry_in(const JsonBody& body, UnixNanos now) {
    const auto text = OBS_ANSWER(body.optional_text("expires_at", 64));
    if (!text) return std::optional<UnixNanos>();
    const std::optional<UnixNanos> time = parse_rfc3339(*text);
    if (!time || *time <= now)
        return refuse(ErrorCode::invalid_field_value, "expires_at",
                      "expires_at is a time in the future, RFC 3339");
    return time;
}

// What the key could do through its own permissions; where it sends is a project that the caller sees.
ApiResult<void> may_make(const Asked& asked, const KeyRequest& request) {
    Rights rights{.permissions = request.scopes, .projects = request.projects};
    const bool sends = std::erase(rights.permissions, ingest_scope) > 0;
    if (sends && request.projects.size() != 1)
        return refuse(ErrorCode::invalid_field_value, "projects",
                      "a key that sends data has exactly one project, where it goes");
    if (request.projects.empty() && request.owner.empty())
        return refuse(ErrorCode::missing_required_field, "projects",
                      "projects is missing: a key without an owner says which ones it sees");
    return may_give(asked.who, rights, "this key");
}

ApiResult<Reply> create_key(Asked asked) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(
        asked.body(),
        "name scopes projects expires_at requests_per_minute requests_per_second bytes_per_second test"));
    KeyRequest request{
        .org = asked.who.org,
        .name = OBS_ANSWER(body.optional_text("name", longest_name)).value_or(""),
        .owner = asked.who.user,
        .scopes = OBS_ANSWER(scopes_in(body)),
        .projects =
            OBS_ANSWER(body.optional_texts("projects", longest_id)).value_or(std::vector<std::string>()),
        .quota = {OBS_ANSWER(body.optional_integer("requests_per_second", 1, most_a_second)),
                  OBS_ANSWER(body.optional_integer("bytes_per_second", 1, most_a_second))},
        .requests_per_minute = OBS_ANSWER(body.optional_integer("requests_per_minute", 1, most_a_minute)),
        .expires = OBS_ANSWER(expiry_in(body, asked.call.now)),
        .for_tests = OBS_ANSWER(body.optional_flag("test")).value_or(false)};
    OBS_ANSWER(check_projects(asked, request.projects, "projects"));
    OBS_ANSWER(may_make(asked, request));
    const NewApiKey made = OBS_ANSWER(asked.catalog.create_key(request, asked.call.now));
    Reply reply{.status = 201};
    JsonWriter json(reply.body);
    json.begin_object().field("key", made.text.reveal()).key("details");
    write_json(json, made.key);
    json.end_object();
    return asked.changed(std::move(reply));
}

ApiResult<Reply> show_key(Asked asked) {
    return one_reply(OBS_ANSWER(key_in_path(asked)));
}

ApiResult<Reply> revoke_key(Asked asked) {
    const ApiKey key = OBS_ANSWER(key_in_path(asked));
    OBS_ANSWER(asked.catalog.revoke_key(key.id, asked.call.now));
    return asked.changed(Reply{.status = 204});
}

// ---- sessions

constexpr ParameterInfo session_parameters[] = {
    page_limit,
    page_offset,
    {"user_id", ParameterType::text, "only those of this user", {.most = longest_id}}};

ApiResult<Reply> list_sessions(Asked asked) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(session_parameters, asked.call.request.head.query, asked.call.now));
    const Page page = page_of(given);
    const std::string_view user = given.text("user_id");
    if (!user.empty() && (!is_id(user) || !OBS_ANSWER(asked.accounts.user_of(asked.who.org, user))))
        return not_found("user");
    return list_reply("sessions", OBS_ANSWER(asked.accounts.sessions_of(asked.who.org, user, page)), page);
}

ApiResult<Reply> end_session(Asked asked) {
    const std::string id = OBS_ANSWER(id_of(asked.call, "session_id"));
    const auto session = OBS_ANSWER(asked.accounts.session_of(asked.who.org, id));
    if (!session) return not_found("session");
    OBS_ANSWER(asked.accounts.end_session(*session, asked.call.now));
    return asked.changed(Reply{.status = 204});
}

// ---- projects

ApiResult<Reply> list_projects(Asked asked) {
    const Page page = OBS_ANSWER(asked.page());
    return list_reply("projects", OBS_ANSWER(asked.catalog.projects_of(asked.who.org, page)), page);
}

ApiResult<Project> project_in_path(const Asked& asked) {
    const std::string id = OBS_ANSWER(id_of(asked.call, "project_id"));
    auto project = OBS_ANSWER(asked.catalog.project_of(asked.who.org, id));
    if (!project) return not_found("project");
    OBS_ANSWER(may_give(asked.who, {.permissions = {}, .projects = {project->id}}, "to manage it"));
    return *std::move(project);
}

ApiResult<std::string> free_name(const Asked& asked, const JsonBody& body) {
    std::string name = OBS_ANSWER(body.text("name", longest_name));
    for (const Project& project : OBS_ANSWER(asked.catalog.projects()))
        if (project.org == asked.who.org && project.name == name)
            return refuse(ErrorCode::resource_already_exists, "name",
                          "there is a project of this name already");
    return name;
}

// Whoever made a project sees it.
ApiResult<void> add_maker(Asked& asked, const Project& project) {
    if (asked.who.user.empty() || asked.who.sees_all_projects()) return {};
    const auto maker = OBS_ANSWER(asked.accounts.user_of(asked.who.org, asked.who.user));
    if (!maker) return {};
    UserChange change{.projects = maker->projects};
    change.projects->push_back(project.id);
    OBS_ANSWER(asked.accounts.change_user(*maker, change, asked.call.now));
    return {};
}

ApiResult<Reply> create_project(Asked asked) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.body(), "name"));
    const std::string name = OBS_ANSWER(free_name(asked, body));
    const Project project = OBS_ANSWER(asked.catalog.create_project(name, asked.call.now, asked.who.org));
    OBS_ANSWER(add_maker(asked, project));
    return asked.changed(one_reply(project, 201));
}

ApiResult<Reply> show_project(Asked asked) {
    return one_reply(OBS_ANSWER(project_in_path(asked)));
}

ApiResult<Reply> change_project(Asked asked) {
    const Project project = OBS_ANSWER(project_in_path(asked));
    const JsonBody body = OBS_ANSWER(JsonBody::read(asked.body(), "name"));
    const std::string name = OBS_ANSWER(free_name(asked, body));
    return asked.changed(one_reply(OBS_ANSWER(asked.catalog.rename_project(project, name))));
}

ApiResult<Reply> archive_project(Asked asked) {
    const Project project = OBS_ANSWER(project_in_path(asked));
    OBS_ANSWER(asked.catalog.archive_project(project, asked.call.now));
    return asked.changed(Reply{.status = 204});
}

ApiResult<Reply> show_settings(Asked asked) {
    const Project project = OBS_ANSWER(project_in_path(asked));
    return Reply{.body = OBS_ANSWER(asked.catalog.project_settings(project.id)).to_json()};
}

ApiResult<Reply> change_settings(Asked asked) {
    const Project project = OBS_ANSWER(project_in_path(asked));
    const ProjectSettings before = OBS_ANSWER(asked.catalog.project_settings(project.id));
    const ProjectSettings after = OBS_ANSWER(ProjectSettings::from_json(asked.body(), before));
    if (after.viewers_read_content && !before.viewers_read_content)
        OBS_ANSWER(may_give(asked.who, {.permissions = {"read:content"}, .projects = {}}, "to show content"));
    if (const std::string_view longer = after.longer_than(asked.parts.longest); !longer.empty())
        return refuse(ErrorCode::limit_exceeded, std::string(longer), "the server keeps nothing as long");
    OBS_ANSWER(asked.catalog.set_project_settings(project.id, after));
    if (asked.parts.settings_changed) asked.parts.settings_changed();
    return asked.changed(Reply{.body = after.to_json()});
}

// ---- the table

struct AdminRoute {
    std::string_view method, pattern, permission;
    ApiResult<Reply> (*answer)(Asked);
    RouteDocs docs;
};

std::vector<AdminRoute> table() {
    constexpr std::string_view users = "manage:users", roles = "manage:roles", keys = "manage:keys",
                               projects = "manage:projects";
    constexpr std::string_view tag = "administration";
    const auto list = [&](std::string_view summary, std::string_view answer) {
        return RouteDocs{.summary = summary, .tag = tag, .parameters = page_parameters, .answer = answer};
    };
    const auto show = [&](std::string_view summary, std::string_view answer) {
        return RouteDocs{.summary = summary, .tag = tag, .answer = answer, .refusals = {404}};
    };
    const auto create = [&](std::string_view summary, std::string_view body, std::string_view answer) {
        return RouteDocs{.summary = summary,
                         .tag = tag,
                         .body = body,
                         .answer = answer,
                         .status = 201,
                         .refusals = {403, 409}};
    };
    const auto change = [&](std::string_view summary, std::string_view body, std::string_view answer) {
        return RouteDocs{
            .summary = summary, .tag = tag, .body = body, .answer = answer, .refusals = {403, 404, 409}};
    };
    const auto end = [&](std::string_view summary) {
        return RouteDocs{.summary = summary, .tag = tag, .status = 204, .refusals = {403, 404, 409}};
    };
    return {
        {"GET", "/api/v1/admin/users", users, list_users, list("Users of the organisation", "UserList")},
        {"POST", "/api/v1/admin/users", users, create_user,
         create("Make a user, who signs in with the code of the answer", "UserBody", "UserWithLogin")},
        {"GET", "/api/v1/admin/users/:user_id", users, show_user, show("One user", "User")},
        {"PATCH", "/api/v1/admin/users/:user_id", users, change_user,
         change("Change a user; sessions of one who is no longer active end at once", "UserChange", "User")},
        {"DELETE", "/api/v1/admin/users/:user_id", users, delete_user,
         end("Delete a user with their sessions; their keys are revoked")},
        {"POST", "/api/v1/admin/users/:user_id/login-code", users, reset_user,
         change("Take the password away, end all sessions, and make a one-time login", "", "UserWithLogin")},

        {"GET", "/api/v1/admin/roles", roles, list_roles, list("Roles, the built-in ones first", "RoleList")},
        {"POST", "/api/v1/admin/roles", roles, create_role,
         create("Make a role of your own", "RoleBody", "Role")},
        {"GET", "/api/v1/admin/roles/:role_id", roles, show_role, show("One role of your own", "Role")},
        {"PATCH", "/api/v1/admin/roles/:role_id", roles, change_role,
         change("Change what a role may do; counts at once for everybody who has it", "RoleChange", "Role")},
        {"DELETE", "/api/v1/admin/roles/:role_id", roles, delete_role, end("Delete a role that nobody has")},

        {"GET", "/api/v1/admin/keys", keys, list_keys, list("Keys of the organisation", "KeyList")},
        {"POST", "/api/v1/admin/keys", keys, create_key,
         create("Make a key; it is shown this once", "KeyBody", "NewKey")},
        {"GET", "/api/v1/admin/keys/:key_id", keys, show_key, show("One key", "Key")},
        {"DELETE", "/api/v1/admin/keys/:key_id", keys, revoke_key, end("Revoke a key")},

        {"GET", "/api/v1/admin/sessions", users, list_sessions,
         RouteDocs{.summary = "Sessions, newest first",
                   .tag = tag,
                   .parameters = session_parameters,
                   .answer = "SessionList",
                   .refusals = {404}}},
        {"DELETE", "/api/v1/admin/sessions/:session_id", users, end_session, end("End a session at once")},

        {"GET", "/api/v1/admin/projects", projects, list_projects,
         list("All projects of the organisation", "ProjectList")},
        {"POST", "/api/v1/admin/projects", projects, create_project,
         create("Make a project", "ProjectBody", "Project")},
        {"GET", "/api/v1/admin/projects/:project_id", projects, show_project, show("One project", "Project")},
        {"PATCH", "/api/v1/admin/projects/:project_id", projects, change_project,
         change("Rename a project; its id stays", "ProjectBody", "Project")},
        {"DELETE", "/api/v1/admin/projects/:project_id", projects, archive_project,
         end("Archive a project: its data stays, its keys are revoked")},
        {"GET", "/api/v1/admin/projects/:project_id/settings", projects, show_settings,
         show("What a project decides for itself", "ProjectSettings")},
        {"PATCH", "/api/v1/admin/projects/:project_id/settings", projects, change_settings,
         change("Change settings of a project; null takes one back", "ProjectSettingsChange",
                "ProjectSettings")},
    };
}

}  // namespace

std::vector<Route> admin_routes(const AuthParts& parts) {
    std::vector<Route> routes;
    for (AdminRoute& row : table())
        routes.push_back(
            {row.method, row.pattern, Access::token, row.permission,
             [parts, answer = row.answer](const Call& call) { return answer(Asked(parts, call)); },
             std::move(row.docs)});
    return routes;
}

}  // namespace obs::serve
