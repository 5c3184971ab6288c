// The people who may ask: users, their roles, their sessions, one-time logins, and what was revoked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/catalog.h"

namespace obs {

struct User {
    std::string id;
    std::string org;
    std::string email;  // with which one signs in, in any case; one user of the whole catalog has it
    std::string name;
    std::string role;                   // built-in, or the name of a custom one
    std::vector<std::string> projects;  // ids; an admin sees all of the organisation
    bool active = true;
    bool has_password = false;
    UnixNanos created;
    std::optional<UnixNanos> last_login;
};

struct UserRequest {
    std::string org = "default", email, name, role;
    std::vector<std::string> projects{};
};

// What is absent stays.
struct UserChange {
    std::optional<std::string> email{}, name{}, role{};
    std::optional<std::vector<std::string>> projects{};
    std::optional<bool> active{};
};

struct CustomRole {
    std::string id;
    std::string org;
    std::string name;
    std::vector<std::string> permissions;
    UnixNanos created;
};

struct Session {
    std::string id;
    std::string user;  // id
    UnixNanos created, expires;
    std::optional<UnixNanos> revoked;
    std::string address, agent;  // where from, and with what program
};

// Why a change was not made. What does not exist is the caller's to find out first.
enum class Change {
    done,
    taken,       // another user or role has this email or name
    last_admin,  // nobody would be left who may do everything
    in_use,      // users have the role
    gone,        // someone else deleted it in between
};

// What a check of a token needs to know beside keys and projects (authority.h).
struct AccountFacts {
    std::vector<User> users;
    std::vector<CustomRole> roles;
    std::vector<std::string> content_projects;               // ids of those whose viewers may read content
    std::vector<std::pair<std::string, UnixNanos>> revoked;  // jti, and when the token would have expired
};

// Thread-safe. Every call may wait for a disk or a network. Ids and emails of others' organisations find
// nothing.
class Accounts {
public:
    static constexpr Nanos code_lifetime = Nanos::seconds(15 * 60);  // decision 31
    // A user's oldest sessions end when more are begun.
    static constexpr int sessions_of_a_user = 100;

    // `catalog` must outlive this object.
    explicit Accounts(const Catalog& catalog) : database_(catalog.database()) {}

    Result<AccountFacts> facts(UnixNanos now) const;

    Result<Listed<User>> users_of(std::string_view org, Page page) const;
    Result<std::optional<User>> user_of(std::string_view org, std::string_view id) const;
    // Of any organisation: for signing in.
    Result<std::optional<User>> user_by_email(std::string_view email) const;
    // Whether somebody could sign in as an admin of the organisation with a password.
    Result<bool> has_admin_with_password(std::string_view org) const;
    // Nothing when the email is taken.
    Result<std::optional<User>> create_user(const UserRequest& request, UnixNanos now);
    // Sessions end with `active` = false.
    Result<Change> change_user(const User& user, const UserChange& change, UnixNanos now);
    // Sessions go, keys of the user are revoked.
    Result<Change> delete_user(const User& user, UnixNanos now);

    // The hash, empty when there is none.
    Result<std::string> password_of(std::string_view user_id) const;
    // Ends every session of the user but `keep`, and one-time logins that wait. An empty hash takes the
    // password away.
    Result<void> set_password(std::string_view user_id, std::string_view hash, std::string_view keep_session,
                              UnixNanos now);
    // A one-time login: 40 random characters. The user's earlier ones no longer count.
    Result<Secret> create_login_code(std::string_view user_id, UnixNanos now);
    // Who it is for, once. Nothing for unknown, used and expired ones, and for users that are not active.
    Result<std::optional<User>> redeem_login_code(const Secret& code, UnixNanos now);

    Result<Listed<CustomRole>> roles_of(std::string_view org, Page page) const;
    Result<std::optional<CustomRole>> role_of(std::string_view org, std::string_view id) const;
    Result<std::optional<CustomRole>> role_by_name(std::string_view org, std::string_view name) const;
    // Nothing when the name is taken.
    Result<std::optional<CustomRole>> create_role(std::string_view org, std::string_view name,
                                                  const std::vector<std::string>& permissions, UnixNanos now);
    Result<Change> change_role(const CustomRole& role, const std::vector<std::string>& permissions);
    Result<Change> delete_role(const CustomRole& role);

    Result<Session> begin_session(const User& user, Nanos lifetime, std::string_view address,
                                  std::string_view agent, UnixNanos now);
    // Newest first; of one user, or of all for an empty id. The ended ones too, for 30 days.
    Result<Listed<Session>> sessions_of(std::string_view org, std::string_view user_id, Page page) const;
    Result<std::optional<Session>> session_of(std::string_view org, std::string_view id) const;
    Result<void> end_session(const Session& session, UnixNanos now);
    // By its jti; known to everybody who asks for facts() until `expires`.
    Result<void> revoke_token(std::string_view jti, UnixNanos expires);
    // Deletes what no longer matters: sessions 30 days after their end, codes and revocations that are over.
    Result<void> forget(UnixNanos now);

private:
    CatalogDatabase& database_;
};

}  // namespace obs
