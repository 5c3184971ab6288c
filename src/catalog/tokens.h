// Who is asking: JSON Web Tokens, and the roles and permissions of the API. authority.h joins them with what
// the catalog knows of users, sessions and keys.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/jwt_keys.h"

namespace obs {

enum class Role : std::uint8_t { admin, developer, viewer, billing, custom };
// The built-in ones. A custom role is a name and a list of permissions in the catalog.
inline constexpr std::array all_roles{Role::admin, Role::developer, Role::viewer, Role::billing};

std::string_view name_of(Role role);
// A built-in role, in any case; nothing for other words.
std::optional<Role> role_from(std::string_view text);
// What a built-in role may do when its token does not say: `read:traces`, …, or `*` alone.
std::vector<std::string> permissions_of(Role role);

// Every permission that something asks for, in the spelling of the contract.
inline constexpr std::array<std::string_view, 22> all_permissions{
    "read:traces",   "read:metrics",   "read:costs",        "read:usage",     "read:content",
    "read:exports",  "create:exports", "download:exports",  "cancel:exports", "export:costs",
    "read:alerts",   "query:metrics",  "write:evaluations", "write:feedback", "manage:budgets",
    "manage:prices", "manage:users",   "manage:roles",      "manage:keys",    "manage:projects",
    "read:audit",    "export:audit"};
// The contract's spelling of a permission in either spelling, or of `*`; nothing for unknown ones.
std::optional<std::string_view> permission_from(std::string_view text);

// A caller who was recognised.
struct Principal {
    std::string subject;  // user id, `key:<id>`, or what a token made elsewhere says
    std::string org;
    std::vector<std::string> projects;  // ids
    Role role = Role::viewer;
    std::vector<std::string> permissions;
    std::string role_name{};  // of a custom role; see role_text()
    std::string user{};       // id, when the catalog has this user
    std::string session{};    // id, when the token came from a sign-in
    std::string key{};        // id, when a key is asking, itself or by a token that it bought
    std::string token{};      // jti, by which the token is revoked; empty for a key itself
    UnixNanos expires{};      // of the token or key; zero: never
    std::optional<std::int64_t> requests_per_minute{};  // of the key; nothing: as the role
    bool limited_to_projects = false;                   // an admin's key for some projects

    std::string_view role_text() const { return role == Role::custom ? role_name : name_of(role); }

    // `read:traces` and `traces:read` are the same; `*` is everything.
    bool may(std::string_view permission) const;
    // An admin sees all projects of the organisation, others those of their token.
    bool sees_all_projects() const { return role == Role::admin && !limited_to_projects; }
};

// Why a token was refused, as the API names it.
enum class TokenFault : std::uint8_t {
    malformed,      // not three parts of base64url, no JSON, above 8 KiB: INVALID_TOKEN
    algorithm,      // one that no key of ours is for, `none` included: INVALID_TOKEN
    signature,      // not signed with our secret, or by a key we trust: INVALID_TOKEN
    claims,         // a claim is missing, of another type, or unknown (role): INVALID_TOKEN
    not_yet_valid,  // issued (iat) or valid (nbf) more than 60 s in the future: INVALID_TOKEN
    expired,        // EXPIRED_TOKEN
    revoked,        // it, its session, its key or its user is no longer welcome: INVALID_TOKEN
    key,            // no key of ours, or one that was revoked, has expired or only sends: INVALID_API_KEY
};
// EXPIRED_TOKEN, INVALID_API_KEY or INVALID_TOKEN.
std::string_view code_of(TokenFault fault);

struct TokenRefusal {
    TokenFault fault;
    std::string message;  // for the client: says what is wrong, never what was sent
};

struct TokenRequest {
    Role role = Role::viewer;
    Nanos lifetime = Nanos::hours(24);
    std::string subject = "cli";
    std::string org = "default";
    std::vector<std::string> projects = {"default"};
    std::string role_name{};                                // with Role::custom
    std::optional<std::vector<std::string>> permissions{};  // nothing: those of the role
    std::string session{};                                  // becomes the token's jti too
    std::string key{};
};

// What a token says, once its signature and its times hold.
struct TokenClaims {
    // With the permissions that the token states, else those of a built-in role. Of a custom role only the
    // name is known.
    Principal principal;
    bool states_permissions = false;
    bool ours = false;  // signed with our secret
};

// Issues and checks tokens. Immutable, thread-safe; read() takes microseconds and touches no disk.
class AccessTokens {
public:
    static constexpr std::size_t size_limit = 8 * 1024;
    static constexpr std::size_t secret_minimum = 32;
    static constexpr Nanos leeway = Nanos::seconds(60);

    // Fails with `invalid_input` when the secret is shorter than 32 characters.
    static Result<AccessTokens> with_secret(Secret secret);
    // The secret is LLMOBS_JWT_SECRET, else JWT_SECRET; else the directory's own (made on first start) with a
    // catalog in a file, and the catalog's (made by the first server) with one that servers share.
    static Result<AccessTokens> of(const DataDirectory& directory, Catalog& catalog);

    // Tokens that others signed with the private halves of these keys count too. Empty texts mean any issuer
    // and any audience; our own tokens have neither.
    struct Trust {
        JwtKeys keys{};
        std::string issuer{}, audience{};
    };
    void trust(Trust others) { others_ = std::move(others); }

    // What those have in common who sign with this secret, and so believe each other's tokens; tells nothing
    // of it.
    std::string installation() const;

    // Fails with `invalid_input` for a lifetime that is not positive or above ten years.
    Result<std::string> issue(const TokenRequest& request, UnixNanos now) const;
    // `token` without its scheme.
    std::expected<TokenClaims, TokenRefusal> read(std::string_view token, UnixNanos now) const;

private:
    explicit AccessTokens(Secret secret) : secret_(std::move(secret)) {}
    Secret secret_;
    Trust others_;
};

}  // namespace obs
