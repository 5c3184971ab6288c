#include "catalog/accounts.h"

#include <algorithm>

#include "catalog/data_directory.h"
#include "catalog/database.h"
#include "catalog/sha256.h"
#include "catalog/tokens.h"

namespace obs {
namespace {

constexpr std::size_t code_length = 40;
constexpr Nanos keep_sessions = Nanos::days(30);

std::string in_lower_case(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

std::string page_text(Page page) {
    return fmt::format("LIMIT {} OFFSET {}", page.limit, page.offset);
}

std::int64_t count(soci::session& sql, std::string_view what, const std::string& value) {
    long long number = 0;
    sql << "SELECT COUNT(*) FROM " << what, soci::into(number), soci::use(value, "value");
    return number;
}

// How many rows it changed. Named by `:at` and `:id`, which every statement has.
long long run_at(soci::session& sql, std::string_view statement, long long at, const std::string& id) {
    soci::statement prepared = (sql.prepare << statement, soci::use(at, "at"), soci::use(id, "id"));
    prepared.execute(true);
    return prepared.get_affected_rows();
}

struct UserRow {
    User user;
    std::string password, projects;
    soci::indicator has_password = soci::i_null, has_login = soci::i_null;
    long long active = 0, created = 0, login = 0;

    User value() const {
        User copy = user;
        copy.projects = split_words(projects);
        copy.active = active != 0;
        copy.has_password = has_password == soci::i_ok;
        copy.created = {created};
        if (has_login == soci::i_ok) copy.last_login = UnixNanos{login};
        return copy;
    }
};

// `value` is the one text parameter `:value` of `condition`, here and below; every condition has it. User
// text is never SQL.
std::vector<User> select_users(soci::session& sql, std::string_view condition, const std::string& value) {
    UserRow row;
    soci::statement statement =
        (sql.prepare << "SELECT id, org, email, name, role, projects, password, active, created, last_login "
                        "FROM users "
                     << condition,
         soci::into(row.user.id), soci::into(row.user.org), soci::into(row.user.email),
         soci::into(row.user.name), soci::into(row.user.role), soci::into(row.projects),
         soci::into(row.password, row.has_password), soci::into(row.active), soci::into(row.created),
         soci::into(row.login, row.has_login), soci::use(value, "value"));
    statement.execute();
    std::vector<User> found;
    while (statement.fetch()) found.push_back(row.value());
    return found;
}

std::vector<CustomRole> select_roles(soci::session& sql, std::string_view condition,
                                     const std::string& value) {
    CustomRole row;
    std::string permissions;
    long long created = 0;
    soci::statement statement =
        (sql.prepare << "SELECT id, org, name, permissions, created FROM roles " << condition,
         soci::into(row.id), soci::into(row.org), soci::into(row.name), soci::into(permissions),
         soci::into(created), soci::use(value, "value"));
    statement.execute();
    std::vector<CustomRole> found;
    while (statement.fetch()) {
        row.permissions = split_words(permissions);
        row.created = {created};
        found.push_back(row);
    }
    return found;
}

// With `users u` joined, for conditions on the organisation.
std::vector<Session> select_sessions(soci::session& sql, std::string_view condition,
                                     const std::string& value) {
    Session row;
    long long created = 0, expires = 0, revoked = 0;
    soci::indicator has_revoked = soci::i_null;
    soci::statement statement =
        (sql.prepare << "SELECT s.id, s.user_id, s.created, s.expires, s.revoked, s.address, s.agent FROM "
                        "sessions s JOIN users u ON u.id = s.user_id "
                     << condition,
         soci::into(row.id), soci::into(row.user), soci::into(created), soci::into(expires),
         soci::into(revoked, has_revoked), soci::into(row.address), soci::into(row.agent),
         soci::use(value, "value"));
    statement.execute();
    std::vector<Session> found;
    while (statement.fetch()) {
        row.created = {created};
        row.expires = {expires};
        row.revoked = has_revoked == soci::i_ok ? std::optional(UnixNanos{revoked}) : std::nullopt;
        found.push_back(row);
    }
    return found;
}

void revoke_jti(soci::session& sql, const std::string& jti, long long expires) {
    sql << "INSERT INTO revoked_tokens (id, expires) VALUES (:id, :expires) ON CONFLICT (id) DO NOTHING",
        soci::use(jti), soci::use(expires);
}

// The token of a session has the session's id as its own.
void end_sessions(soci::session& sql, const std::string& user_id, std::string_view keep, long long now) {
    for (const Session& session :
         select_sessions(sql, "WHERE s.user_id = :value AND s.revoked IS NULL", user_id)) {
        if (session.id == keep || session.expires.since_epoch <= now) continue;
        revoke_jti(sql, session.id, session.expires.since_epoch);
        run_at(sql, "UPDATE sessions SET revoked = :at WHERE id = :id", now, session.id);
    }
}

bool is_admin(std::string_view role) {
    return role == name_of(Role::admin);
}

// Whether an active admin is left beside this user.
bool has_other_admin(soci::session& sql, const User& user) {
    const std::vector<User> admins =
        select_users(sql, "WHERE org = :value AND role = 'admin' AND active <> 0", user.org);
    return std::ranges::any_of(admins, [&](const User& other) { return other.id != user.id; });
}

std::optional<User> same_user(soci::session& sql, const User& user) {
    std::vector<User> found = select_users(sql, "WHERE id = :value", user.id);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

User changed(User user, const UserChange& change) {
    if (change.email) user.email = *change.email;
    if (change.name) user.name = *change.name;
    if (change.role) user.role = *change.role;
    if (change.projects) user.projects = *change.projects;
    if (change.active) user.active = *change.active;
    return user;
}

bool is_taken(soci::session& sql, const User& user) {
    const std::vector<User> others = select_users(sql, "WHERE sign_in = :value", in_lower_case(user.email));
    return std::ranges::any_of(others, [&](const User& other) { return other.id != user.id; });
}

void store_user(soci::session& sql, const User& user) {
    const std::string sign_in = in_lower_case(user.email), projects = joined(user.projects);
    const long long active = user.active ? 1 : 0;
    sql << "UPDATE users SET email = :email, sign_in = :sign_in, name = :name, role = :role, projects = "
           ":projects, active = :active WHERE id = :id",
        soci::use(user.email), soci::use(sign_in), soci::use(user.name), soci::use(user.role),
        soci::use(projects), soci::use(active), soci::use(user.id);
}

template <class T>
std::optional<T> of_org(std::vector<T> found, std::string_view org) {
    for (T& one : found)
        if (one.org == org) return std::move(one);
    return std::nullopt;
}

std::vector<std::string> projects_with_open_content(soci::session& sql) {
    std::string id, settings;
    soci::statement statement = (sql.prepare << "SELECT id, settings FROM projects WHERE settings <> '{}'",
                                 soci::into(id), soci::into(settings));
    statement.execute();
    std::vector<std::string> found;
    while (statement.fetch()) {
        const Result<ProjectSettings> read = ProjectSettings::from_json(settings, {});
        if (read && read->viewers_read_content) found.push_back(id);
    }
    return found;
}

std::vector<std::pair<std::string, UnixNanos>> revoked_tokens(soci::session& sql, UnixNanos now) {
    std::string id;
    long long expires = 0;
    const long long at = now.since_epoch;
    soci::statement statement = (sql.prepare << "SELECT id, expires FROM revoked_tokens WHERE expires > :at",
                                 soci::into(id), soci::into(expires), soci::use(at));
    statement.execute();
    std::vector<std::pair<std::string, UnixNanos>> found;
    while (statement.fetch()) found.emplace_back(id, UnixNanos{expires});
    return found;
}

}  // namespace

Result<AccountFacts> Accounts::facts(UnixNanos now) const {
    return database_.read("read who may ask", [&](soci::session& sql) -> Result<AccountFacts> {
        AccountFacts facts;
        facts.users = select_users(sql, "WHERE id <> :value", "");
        facts.roles = select_roles(sql, "WHERE id <> :value", "");
        facts.content_projects = projects_with_open_content(sql);
        facts.revoked = revoked_tokens(sql, now);
        return facts;
    });
}

Result<Listed<User>> Accounts::users_of(std::string_view org, Page page) const {
    return database_.read("list users", [&](soci::session& sql) -> Result<Listed<User>> {
        const std::string of(org);
        return Listed<User>{
            select_users(sql, "WHERE org = :value ORDER BY created, email " + page_text(page), of),
            count(sql, "users WHERE org = :value", of)};
    });
}

Result<std::optional<User>> Accounts::user_of(std::string_view org, std::string_view id) const {
    return database_.read("find a user", [&](soci::session& sql) -> Result<std::optional<User>> {
        return of_org(select_users(sql, "WHERE id = :value", std::string(id)), org);
    });
}

Result<std::optional<User>> Accounts::user_by_email(std::string_view email) const {
    return database_.read("find a user", [&](soci::session& sql) -> Result<std::optional<User>> {
        std::vector<User> found = select_users(sql, "WHERE sign_in = :value", in_lower_case(email));
        return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
    });
}

Result<bool> Accounts::has_admin_with_password(std::string_view org) const {
    return database_.read("look for an admin", [&](soci::session& sql) -> Result<bool> {
        return count(sql,
                     "users WHERE org = :value AND role = 'admin' AND active <> 0 AND password IS NOT NULL",
                     std::string(org)) > 0;
    });
}

Result<std::optional<User>> Accounts::create_user(const UserRequest& request, UnixNanos now) {
    return database_.change("create a user", [&](soci::session& sql) -> Result<std::optional<User>> {
        User user{.id = new_uuid(),
                  .org = request.org,
                  .email = request.email,
                  .name = request.name,
                  .role = request.role,
                  .projects = request.projects,
                  .active = true,
                  .has_password = false,
                  .created = now,
                  .last_login = std::nullopt};
        if (is_taken(sql, user)) return std::optional<User>();
        const std::string sign_in = in_lower_case(user.email), projects = joined(user.projects);
        const long long created = now.since_epoch;
        sql << "INSERT INTO users (id, org, email, sign_in, name, role, projects, active, created) VALUES "
               "(:id, :org, :email, :sign_in, :name, :role, :projects, 1, :created)",
            soci::use(user.id), soci::use(user.org), soci::use(user.email), soci::use(sign_in),
            soci::use(user.name), soci::use(user.role), soci::use(projects), soci::use(created);
        return std::optional(std::move(user));
    });
}

Result<Change> Accounts::change_user(const User& user, const UserChange& change, UnixNanos now) {
    return database_.change("change a user", [&](soci::session& sql) -> Result<Change> {
        const std::optional<User> before = same_user(sql, user);
        if (!before) return Change::gone;
        const User after = changed(*before, change);
        if (is_taken(sql, after)) return Change::taken;
        const bool was_admin = is_admin(before->role) && before->active;
        if (was_admin && !(is_admin(after.role) && after.active) && !has_other_admin(sql, user))
            return Change::last_admin;
        store_user(sql, after);
        if (!after.active) end_sessions(sql, user.id, "", now.since_epoch);
        return Change::done;
    });
}

Result<Change> Accounts::delete_user(const User& user, UnixNanos now) {
    return database_.change("delete a user", [&](soci::session& sql) -> Result<Change> {
        const std::optional<User> before = same_user(sql, user);
        if (!before) return Change::gone;
        if (is_admin(before->role) && before->active && !has_other_admin(sql, user))
            return Change::last_admin;
        end_sessions(sql, user.id, "", now.since_epoch);
        run_at(sql, "UPDATE api_keys SET revoked = :at WHERE owner = :id AND revoked IS NULL",
               now.since_epoch, user.id);
        sql << "UPDATE api_keys SET owner = NULL WHERE owner = :id", soci::use(user.id);
        sql << "DELETE FROM users WHERE id = :id", soci::use(user.id);
        return Change::done;
    });
}

Result<std::string> Accounts::password_of(std::string_view user_id) const {
    return database_.read("read a password's hash", [&](soci::session& sql) -> Result<std::string> {
        std::string hash;
        soci::indicator present = soci::i_null;
        const std::string id(user_id);
        sql << "SELECT password FROM users WHERE id = :id", soci::into(hash, present), soci::use(id);
        return sql.got_data() && present == soci::i_ok ? hash : std::string();
    });
}

Result<void> Accounts::set_password(std::string_view user_id, std::string_view hash,
                                    std::string_view keep_session, UnixNanos now) {
    return database_.change("set a password", [&](soci::session& sql) -> Result<void> {
        const std::string id(user_id), text(hash);
        soci::indicator present = text.empty() ? soci::i_null : soci::i_ok;
        sql << "UPDATE users SET password = :hash WHERE id = :id", soci::use(text, present), soci::use(id);
        sql << "DELETE FROM login_codes WHERE user_id = :id", soci::use(id);
        end_sessions(sql, id, keep_session, now.since_epoch);
        return {};
    });
}

Result<Secret> Accounts::create_login_code(std::string_view user_id, UnixNanos now) {
    return database_.note("make a one-time login", [&](soci::session& sql) -> Result<Secret> {
        const std::string id(user_id), code = random_text(code_length), hash = sha256_hex(code);
        const long long expires = (now + code_lifetime).since_epoch;
        sql << "DELETE FROM login_codes WHERE user_id = :id", soci::use(id);
        sql << "INSERT INTO login_codes (sha256, user_id, expires) VALUES (:hash, :id, :expires)",
            soci::use(hash), soci::use(id), soci::use(expires);
        return Secret(code);
    });
}

Result<std::optional<User>> Accounts::redeem_login_code(const Secret& code, UnixNanos now) {
    return database_.note("redeem a one-time login", [&](soci::session& sql) -> Result<std::optional<User>> {
        const std::string hash = sha256_hex(code.reveal());
        if (run_at(sql,
                   "UPDATE login_codes SET used = :at WHERE sha256 = :id AND used IS NULL AND expires > :at",
                   now.since_epoch, hash) == 0)
            return std::optional<User>();
        for (User& user : select_users(
                 sql, "WHERE active <> 0 AND id IN (SELECT user_id FROM login_codes WHERE sha256 = :value)",
                 hash))
            return std::optional(std::move(user));
        return std::optional<User>();
    });
}

Result<Listed<CustomRole>> Accounts::roles_of(std::string_view org, Page page) const {
    return database_.read("list roles", [&](soci::session& sql) -> Result<Listed<CustomRole>> {
        const std::string of(org);
        return Listed<CustomRole>{
            select_roles(sql, "WHERE org = :value ORDER BY created, name " + page_text(page), of),
            count(sql, "roles WHERE org = :value", of)};
    });
}

Result<std::optional<CustomRole>> Accounts::role_of(std::string_view org, std::string_view id) const {
    return database_.read("find a role", [&](soci::session& sql) -> Result<std::optional<CustomRole>> {
        return of_org(select_roles(sql, "WHERE id = :value", std::string(id)), org);
    });
}

Result<std::optional<CustomRole>> Accounts::role_by_name(std::string_view org, std::string_view name) const {
    return database_.read("find a role", [&](soci::session& sql) -> Result<std::optional<CustomRole>> {
        return of_org(select_roles(sql, "WHERE name = :value", std::string(name)), org);
    });
}

Result<std::optional<CustomRole>> Accounts::create_role(std::string_view org, std::string_view name,
                                                        const std::vector<std::string>& permissions,
                                                        UnixNanos now) {
    return database_.change("create a role", [&](soci::session& sql) -> Result<std::optional<CustomRole>> {
        CustomRole role{.id = new_uuid(),
                        .org = std::string(org),
                        .name = std::string(name),
                        .permissions = permissions,
                        .created = now};
        if (of_org(select_roles(sql, "WHERE name = :value", role.name), org))
            return std::optional<CustomRole>();
        const std::string list = joined(permissions);
        const long long created = now.since_epoch;
        sql << "INSERT INTO roles (id, org, name, permissions, created) VALUES (:id, :org, :name, "
               ":permissions, :created)",
            soci::use(role.id), soci::use(role.org), soci::use(role.name), soci::use(list),
            soci::use(created);
        return std::optional(std::move(role));
    });
}

Result<Change> Accounts::change_role(const CustomRole& role, const std::vector<std::string>& permissions) {
    return database_.change("change a role", [&](soci::session& sql) -> Result<Change> {
        const std::string list = joined(permissions);
        soci::statement statement = (sql.prepare << "UPDATE roles SET permissions = :list WHERE id = :id",
                                     soci::use(list), soci::use(role.id));
        statement.execute(true);
        return statement.get_affected_rows() == 0 ? Change::gone : Change::done;
    });
}

Result<Change> Accounts::delete_role(const CustomRole& role) {
    return database_.change("delete a role", [&](soci::session& sql) -> Result<Change> {
        const std::vector<User> holders = select_users(sql, "WHERE role = :value", role.name);
        if (std::ranges::any_of(holders, [&](const User& user) { return user.org == role.org; }))
            return Change::in_use;
        sql << "DELETE FROM roles WHERE id = :id", soci::use(role.id);
        return Change::done;
    });
}

Result<Session> Accounts::begin_session(const User& user, Nanos lifetime, std::string_view address,
                                        std::string_view agent, UnixNanos now) {
    return database_.note("begin a session", [&](soci::session& sql) -> Result<Session> {
        Session session{.id = new_uuid(),
                        .user = user.id,
                        .created = now,
                        .expires = now + lifetime,
                        .revoked = std::nullopt,
                        .address = std::string(address),
                        .agent = std::string(agent)};
        const long long created = now.since_epoch, expires = session.expires.since_epoch;
        const std::vector<Session> oldest = select_sessions(
            sql,
            fmt::format(
                "WHERE s.user_id = :value AND s.revoked IS NULL AND s.expires > {} ORDER BY s.created "
                "DESC, s.id LIMIT 10 OFFSET {}",
                created, sessions_of_a_user - 1),
            user.id);
        // Then it is more than a note. First, as every change does it: two that wait for each other's rows
        // would stop each other.
        if (!oldest.empty()) sql << "UPDATE changes SET counter = counter + 1";
        for (const Session& old : oldest) {
            revoke_jti(sql, old.id, old.expires.since_epoch);
            run_at(sql, "UPDATE sessions SET revoked = :at WHERE id = :id", created, old.id);
        }
        sql << "INSERT INTO sessions (id, user_id, created, expires, address, agent) VALUES (:id, :user, "
               ":created, :expires, :address, :agent)",
            soci::use(session.id), soci::use(session.user), soci::use(created), soci::use(expires),
            soci::use(session.address), soci::use(session.agent);
        run_at(sql, "UPDATE users SET last_login = :at WHERE id = :id", created, user.id);
        return session;
    });
}

Result<Listed<Session>> Accounts::sessions_of(std::string_view org, std::string_view user_id,
                                              Page page) const {
    return database_.read("list sessions", [&](soci::session& sql) -> Result<Listed<Session>> {
        // Of the two, the id is the narrower one; whether it is of the organisation is known to the caller.
        const std::string value(user_id.empty() ? org : user_id);
        const std::string condition = user_id.empty() ? "u.org = :value" : "s.user_id = :value";
        return Listed<Session>{
            select_sessions(sql, "WHERE " + condition + " ORDER BY s.created DESC, s.id " + page_text(page),
                            value),
            count(sql, "sessions s JOIN users u ON u.id = s.user_id WHERE " + condition, value)};
    });
}

Result<std::optional<Session>> Accounts::session_of(std::string_view org, std::string_view id) const {
    return database_.read("find a session", [&](soci::session& sql) -> Result<std::optional<Session>> {
        std::vector<Session> found = select_sessions(sql, "WHERE s.id = :value", std::string(id));
        if (found.empty()) return std::optional<Session>();
        const std::vector<User> owner = select_users(sql, "WHERE id = :value", found.front().user);
        if (owner.empty() || owner.front().org != org) return std::optional<Session>();
        return std::optional(std::move(found.front()));
    });
}

Result<void> Accounts::end_session(const Session& session, UnixNanos now) {
    return database_.change("end a session", [&](soci::session& sql) -> Result<void> {
        revoke_jti(sql, session.id, session.expires.since_epoch);
        run_at(sql, "UPDATE sessions SET revoked = :at WHERE id = :id AND revoked IS NULL", now.since_epoch,
               session.id);
        return {};
    });
}

Result<void> Accounts::revoke_token(std::string_view jti, UnixNanos expires) {
    return database_.change("revoke a token", [&](soci::session& sql) -> Result<void> {
        revoke_jti(sql, std::string(jti), expires.since_epoch);
        return {};
    });
}

Result<void> Accounts::forget(UnixNanos now) {
    return database_.note("forget old sessions", [&](soci::session& sql) -> Result<void> {
        const long long over = now.since_epoch, long_over = (now - keep_sessions).since_epoch;
        sql << "DELETE FROM sessions WHERE expires < :at", soci::use(long_over);
        sql << "DELETE FROM login_codes WHERE expires < :at", soci::use(over);
        sql << "DELETE FROM revoked_tokens WHERE expires < :at", soci::use(over);
        return {};
    });
}

}  // namespace obs
