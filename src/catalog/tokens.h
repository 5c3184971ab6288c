// Who is asking: JSON Web Tokens (HS256) and the four built-in roles of the API.
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
#include "catalog/data_directory.h"

namespace obs {

enum class Role : std::uint8_t { admin, developer, viewer, billing };
inline constexpr std::array all_roles{Role::admin, Role::developer, Role::viewer, Role::billing};

std::string_view name_of(Role role);
// In any case; nothing for other words.
std::optional<Role> role_from(std::string_view text);
// What the role may do when its token does not say: `read:traces`, …, or `*` alone.
std::vector<std::string> permissions_of(Role role);

// A caller whose token was checked.
struct Principal {
    std::string subject;
    std::string org;
    std::vector<std::string> projects;  // ids
    Role role = Role::viewer;
    std::vector<std::string> permissions;

    // `read:traces` and `traces:read` are the same; `*` is everything.
    bool may(std::string_view permission) const;
    // An admin sees all projects of the organisation, others those of their token.
    bool sees_all_projects() const { return role == Role::admin; }
};

// Why a token was refused, as the API names it.
enum class TokenFault : std::uint8_t {
    malformed,      // not three parts of base64url, no JSON, above 8 KiB: INVALID_TOKEN
    algorithm,      // anything but HS256, `none` included: INVALID_TOKEN
    signature,      // not signed with our secret: INVALID_TOKEN
    claims,         // a claim is missing, of another type, or unknown (role): INVALID_TOKEN
    not_yet_valid,  // issued (iat) or valid (nbf) more than 60 s in the future: INVALID_TOKEN
    expired,        // EXPIRED_TOKEN
};
// EXPIRED_TOKEN or INVALID_TOKEN.
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
};

// Issues and checks tokens. Immutable, thread-safe; verify() takes microseconds and touches no disk.
class AccessTokens {
public:
    static constexpr std::size_t size_limit = 8 * 1024;
    static constexpr std::size_t secret_minimum = 32;
    static constexpr Nanos leeway = Nanos::seconds(60);

    // Fails with `invalid_input` when the secret is shorter than 32 characters.
    static Result<AccessTokens> with_secret(Secret secret);
    // The secret is LLMOBS_JWT_SECRET, else JWT_SECRET, else the directory's own (made on first start).
    static Result<AccessTokens> of_directory(const DataDirectory& directory);

    // Fails with `invalid_input` for a lifetime that is not positive or above ten years.
    Result<std::string> issue(const TokenRequest& request, UnixNanos now) const;
    // `token` without its scheme.
    std::expected<Principal, TokenRefusal> verify(std::string_view token, UnixNanos now) const;

private:
    explicit AccessTokens(Secret secret) : secret_(std::move(secret)) {}
    Secret secret_;
};

}  // namespace obs
