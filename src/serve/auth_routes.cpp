#include "serve/auth_routes.h"

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "base/log.h"
#include "serve/account_json.h"
#include "serve/json_body.h"
#include "serve/query_string.h"

namespace obs::serve {
namespace {

constexpr std::size_t longest_name = 254;
// A token as an answer is in no cache on its way (RFC 6749 5.1).
constexpr std::string_view grant = "client_credentials";

ApiError error_of(const SignInRefusal& refusal) {
    const auto with_wait = [&](ErrorCode code) {
        ApiError error{code, refusal.message};
        error.headers.add("retry-after", std::to_string(refusal.retry_after.count()));
        return error;
    };
    switch (refusal.why) {
        case SignInRefusal::Why::wrong: return {ErrorCode::invalid_credentials, refusal.message};
        case SignInRefusal::Why::too_often: return with_wait(ErrorCode::too_many_requests);
        case SignInRefusal::Why::busy: return with_wait(ErrorCode::service_unavailable);
        case SignInRefusal::Why::invalid:
            return {ErrorCode::invalid_field_value, refusal.message, "new_password"};
        case SignInRefusal::Why::broken: break;
    }
    return api_error(refusal.error.value_or(Error{ErrorKind::internal, refusal.message, {}}));
}

Origin origin_of(const Call& call) {
    return {.address = call.request.head.peer, .agent = call.request.head.headers.get("user-agent")};
}

Reply token_reply(const std::string& token, Nanos lifetime, const User* user) {
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().field("access_token", token).field("token_type", "Bearer");
    json.field("expires_in", lifetime.count / 1'000'000'000);
    if (user != nullptr) {
        json.field("password_needed", !user->has_password).key("user");
        write_json(json, *user);
    }
    json.end_object();
    return reply;
}

std::shared_ptr<const Principal> owner_of(const AuthParts& parts, const std::string& token,
                                          const Call& call) {
    const Authority::Recognised recognised = parts.authority.of(token, call.now);
    return recognised ? *recognised : nullptr;
}

ApiResult<Reply> answer_login(const AuthParts& parts, const Call& call) {
    const JsonBody body = OBS_ANSWER(JsonBody::read(call.request.body.view(), "username password code"));
    const bool by_code = body.has("code");
    if (by_code && (body.has("username") || body.has("password")))
        return refuse(ErrorCode::invalid_request, "code", "send either username and password, or code");
    const std::string name = by_code ? std::string() : OBS_ANSWER(body.text("username", longest_name));
    const Secret secret(OBS_ANSWER(body.secret(by_code ? "code" : "password")));
    const auto signed_in = by_code ? parts.sign_in.with_code(secret, origin_of(call), call.now)
                                   : parts.sign_in.with_password(name, secret, origin_of(call), call.now);
    if (!signed_in) return std::unexpected(error_of(signed_in.error()));
    // Another process may have made or changed the user just now: the token must count at once.
    OBS_ANSWER(parts.authority.refresh());
    Reply reply = token_reply(signed_in->token, signed_in->lifetime, &signed_in->user);
    reply.signed_in = owner_of(parts, signed_in->token, call);
    return reply;
}

struct Credentials {
    std::string id, grant_type;
    Secret secret;
};

ApiResult<Credentials> credentials_in_form(std::string_view body) {
    std::string id, secret, grant_type;
    for (auto& [name, value] : parse_query(body)) {
        if (name == "client_id")
            id = std::move(value);
        else if (name == "client_secret")
            secret = std::move(value);
        else if (name == "grant_type")
            grant_type = std::move(value);
    }
    for (const auto& [name, value] : {std::pair("client_id", &id), std::pair("client_secret", &secret)})
        if (value->empty()) return refuse(ErrorCode::missing_required_field, name, "{} is missing", name);
    return Credentials{std::move(id), std::move(grant_type), Secret(std::move(secret))};
}

ApiResult<Credentials> credentials_of(const net::Request& request) {
    // What libraries for OAuth send. `curl -d` says so of everything.
    const bool is_form =
        request.head.headers.get("content-type").starts_with("application/x-www-form-urlencoded");
    if (is_form && !request.body.view().starts_with('{')) return credentials_in_form(request.body.view());
    const JsonBody body =
        OBS_ANSWER(JsonBody::read(request.body.view(), "client_id client_secret grant_type"));
    return Credentials{OBS_ANSWER(body.text("client_id", longest_name)),
                       OBS_ANSWER(body.optional_text("grant_type", 100)).value_or(""),
                       Secret(OBS_ANSWER(body.text("client_secret", 200)))};
}

ApiResult<Reply> answer_token(const AuthParts& parts, const Call& call) {
    const Credentials given = OBS_ANSWER(credentials_of(call.request));
    if (!given.grant_type.empty() && given.grant_type != grant)
        return refuse(ErrorCode::invalid_field_value, "grant_type", "grant_type can only be {}", grant);
    const auto bought = parts.sign_in.with_key(given.id, given.secret, origin_of(call), call.now);
    if (!bought) return std::unexpected(error_of(bought.error()));
    OBS_ANSWER(parts.authority.refresh());
    Reply reply = token_reply(bought->token, bought->lifetime, nullptr);
    reply.signed_in = owner_of(parts, bought->token, call);
    return reply;
}

ApiResult<Reply> answer_logout(const AuthParts& parts, const Call& call) {
    const Principal& who = *call.principal;
    if (who.token.empty())
        return refuse(ErrorCode::invalid_request, "", "a key does not sign in; revoke it to end it");
    Accounts accounts(parts.catalog);
    std::optional<Session> session;
    if (!who.session.empty()) session = OBS_ANSWER(accounts.session_of(who.org, who.session));
    if (session)
        OBS_ANSWER(accounts.end_session(*session, call.now));
    else
        OBS_ANSWER(accounts.revoke_token(who.token, who.expires));
    OBS_ANSWER(parts.authority.refresh());
    return Reply{.status = 204};
}

ApiResult<Reply> answer_me(const AuthParts& parts, const Call& call) {
    const Principal& who = *call.principal;
    std::optional<User> user;
    if (!who.user.empty()) user = OBS_ANSWER(Accounts(parts.catalog).user_of(who.org, who.user));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().field("subject", who.subject).field("org_id", who.org);
    json.field("role", who.role_text());
    write_texts(json, "permissions", who.permissions);
    write_texts(json, "projects", who.projects);
    json.field("all_projects", who.sees_all_projects());
    if (who.expires.since_epoch != 0) json.field("expires_at", rfc3339(who.expires));
    if (!who.session.empty()) json.field("session_id", who.session);
    if (!who.key.empty()) json.field("key_id", who.key);
    if (user) {
        json.key("user");
        write_json(json, *user);
    }
    json.end_object();
    return reply;
}

// Of the person who asks; a key has no password.
ApiResult<std::string> signed_in_user(const Principal& who) {
    if (who.user.empty() || !who.key.empty())
        return refuse(ErrorCode::resource_access_denied, "", "only a user who signed in can do this");
    return who.user;
}

ApiResult<Reply> answer_password(const AuthParts& parts, const Call& call) {
    OBS_ANSWER(signed_in_user(*call.principal));
    const JsonBody body =
        OBS_ANSWER(JsonBody::read(call.request.body.view(), "current_password new_password"));
    const Secret chosen(OBS_ANSWER(body.secret("new_password")));
    if (chosen.empty())
        return refuse(ErrorCode::missing_required_field, "new_password", "new_password is missing");
    const Secret current(OBS_ANSWER(body.secret("current_password")));
    const auto changed =
        parts.sign_in.change_password(*call.principal, current, chosen, origin_of(call), call.now);
    if (!changed) return std::unexpected(error_of(changed.error()));
    return Reply{.status = 204};
}

ApiResult<Reply> answer_sessions(const AuthParts& parts, const Call& call) {
    const Page page =
        page_of(OBS_ANSWER(Parameters::read(page_parameters, call.request.head.query, call.now)));
    const std::string user = OBS_ANSWER(signed_in_user(*call.principal));
    return list_reply("sessions",
                      OBS_ANSWER(Accounts(parts.catalog).sessions_of(call.principal->org, user, page)), page);
}

ApiResult<Reply> answer_end_session(const AuthParts& parts, const Call& call) {
    const std::string user = OBS_ANSWER(signed_in_user(*call.principal));
    Accounts accounts(parts.catalog);
    const std::string id = OBS_ANSWER(id_of(call, "session_id"));
    const auto session = OBS_ANSWER(accounts.session_of(call.principal->org, id));
    if (!session || session->user != user)
        return refuse(ErrorCode::resource_not_found, "session_id", "there is no such session");
    OBS_ANSWER(accounts.end_session(*session, call.now));
    OBS_ANSWER(parts.authority.refresh());
    return Reply{.status = 204};
}

ApiResult<Reply> answer_projects(const AuthParts& parts, const Call& call) {
    const Principal& who = *call.principal;
    const Page page =
        page_of(OBS_ANSWER(Parameters::read(page_parameters, call.request.head.query, call.now)));
    if (who.sees_all_projects())
        return list_reply("projects", OBS_ANSWER(parts.catalog.projects_of(who.org, page)), page);
    std::vector<Project> own;
    for (Project& project : OBS_ANSWER(parts.catalog.projects()))
        if (project.org == who.org && std::ranges::find(who.projects, project.id) != who.projects.end())
            own.push_back(std::move(project));
    return list_reply("projects", page_in(std::move(own), page), page);
}

// Where the address leads that a first start prints. Looking at it uses nothing up: programs that fetch ahead
// would otherwise take the login away.
ApiResult<Reply> answer_login_page(const Call&) {
    return Reply{.body =
                     "To sign in, send the code of this address within 15 minutes:\n\n"
                     "  curl -H 'content-type: application/json' -d '{\"code\":\"<code>\"}' "
                     "<this server>/api/v1/auth/login\n\n"
                     "The answer holds a token; set a password with it at /api/v1/auth/password.\n",
                 .content_type = "text/plain; charset=utf-8"};
}

}  // namespace

std::vector<Route> auth_routes(const AuthParts& parts) {
    using Answer = ApiResult<Reply> (*)(const AuthParts&, const Call&);
    const auto with = [&](Answer answer) -> Handler {
        return [parts, answer](const Call& call) { return answer(parts, call); };
    };
    std::vector<Route> routes;
    const RouteDocs login{.summary = "Sign in with a password or a one-time login",
                          .tag = "access",
                          .body = "LoginBody",
                          .answer = "SignedIn",
                          .refusals = {400, 401, 429, 503},
                          .description =
                              "Either `username` and `password`, or `code`. Ten attempts that fail "
                              "from one address for one user in 15 minutes are the last ones for a while."};
    routes.push_back({"POST", "/api/v1/auth/login", Access::open, "", with(answer_login), login});
    const RouteDocs token{.summary = "A token for an API key",
                          .tag = "access",
                          .body = "ClientCredentials",
                          .answer = "AccessToken",
                          .refusals = {400, 401, 429},
                          .description =
                              "`client_id` is the id of the key, `client_secret` the key. The body may "
                              "be a form as OAuth libraries send it."};
    routes.push_back({"POST", "/api/v1/auth/token", Access::open, "", with(answer_token), token});
    routes.push_back({"POST", "/auth/token", Access::open, "", with(answer_token), token});
    routes.push_back(
        {"POST",
         "/api/v1/auth/logout",
         Access::token,
         "",
         with(answer_logout),
         {.summary = "End this token at once", .tag = "access", .status = 204, .refusals = {400}}});
    routes.push_back(
        {"GET",
         "/api/v1/auth/me",
         Access::token,
         "",
         with(answer_me),
         {.summary = "Who the token stands for, and what it may do", .tag = "access", .answer = "Me"}});
    routes.push_back({"POST",
                      "/api/v1/auth/password",
                      Access::token,
                      "",
                      with(answer_password),
                      {.summary = "Choose a password; ends one's other sessions",
                       .tag = "access",
                       .body = "PasswordBody",
                       .status = 204,
                       .refusals = {400, 403, 429, 503}}});
    routes.push_back({"GET",
                      "/api/v1/auth/sessions",
                      Access::token,
                      "",
                      with(answer_sessions),
                      {.summary = "One's own sessions, newest first",
                       .tag = "access",
                       .parameters = page_parameters,
                       .answer = "SessionList",
                       .refusals = {403}}});
    routes.push_back({"DELETE",
                      "/api/v1/auth/sessions/:session_id",
                      Access::token,
                      "",
                      with(answer_end_session),
                      {.summary = "End one of one's own sessions",
                       .tag = "access",
                       .status = 204,
                       .refusals = {403, 404}}});
    routes.push_back({"GET",
                      "/api/v1/projects",
                      Access::token,
                      "",
                      with(answer_projects),
                      {.summary = "The projects that the caller sees",
                       .tag = "access",
                       .parameters = page_parameters,
                       .answer = "ProjectList"}});
    routes.push_back(
        {"GET",
         "/login",
         Access::open,
         "",
         answer_login_page,
         {.summary = "How to use a one-time login", .tag = "access", .content_type = "text/plain"}});
    return routes;
}

}  // namespace obs::serve
