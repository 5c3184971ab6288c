#include "catalog/tokens.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <cjose/cjose.h>
#include <simdjson.h>

#include "base/json_writer.h"

namespace obs {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::int64_t nanos_a_second = 1'000'000'000;
constexpr std::int64_t longest_lifetime_days = 3660;

struct FreeKey {
    void operator()(cjose_jwk_t* key) const noexcept { cjose_jwk_release(key); }
};
struct FreeSignature {
    void operator()(cjose_jws_t* signature) const noexcept { cjose_jws_release(signature); }
};
struct FreeHeader {
    void operator()(cjose_header_t* header) const noexcept { cjose_header_release(header); }
};
using Key = std::unique_ptr<cjose_jwk_t, FreeKey>;
using Signature = std::unique_ptr<cjose_jws_t, FreeSignature>;
using Header = std::unique_ptr<cjose_header_t, FreeHeader>;

Key key_of(const Secret& secret) {
    const std::string& text = secret.reveal();
    return Key(
        cjose_jwk_create_oct_spec(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), nullptr));
}

bool equal_ignoring_case(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, [](char x, char y) {
        return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
    });
}

std::unexpected<TokenRefusal> refuse(TokenFault fault, std::string_view message) {
    return std::unexpected(TokenRefusal{fault, std::string(message)});
}

// Three parts, none empty, of the base64url alphabet alone: nothing a lenient decoder could read in two ways.
bool has_compact_form(std::string_view token) {
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    return std::ranges::all_of(token, is_plain) && std::ranges::count(token, '.') == 2 &&
           !token.starts_with('.') && !token.ends_with('.') && token.find("..") == std::string_view::npos;
}

std::optional<std::string> decoded(std::string_view base64url) {
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    if (!cjose_base64url_decode(base64url.data(), base64url.size(), &bytes, &size, nullptr))
        return std::nullopt;
    std::string text(reinterpret_cast<const char*>(bytes), size);
    cjose_get_dealloc()(bytes);
    return text;
}

// The header decides how a library checks the signature, so it is read before any library sees the token.
std::expected<void, TokenRefusal> check_header(std::string_view part) {
    const std::optional<std::string> text = decoded(part);
    simdjson::dom::parser parser;
    object header;
    if (!text || parser.parse(*text).get(header) != simdjson::SUCCESS)
        return refuse(TokenFault::malformed, "the token's header is no JSON object");
    std::string_view algorithm;
    if (header["alg"].get(algorithm) != simdjson::SUCCESS || algorithm != "HS256")
        return refuse(TokenFault::algorithm, "the token must be signed with HS256");
    // RFC 7515 4.1.11: who does not know what is critical must refuse.
    if (header["crit"].error() != simdjson::NO_SUCH_FIELD)
        return refuse(TokenFault::algorithm, "the token has critical header fields that are not known here");
    return {};
}

std::expected<std::string, TokenRefusal> checked_payload(std::string_view token, const Secret& secret) {
    const Signature signed_token(cjose_jws_import(token.data(), token.size(), nullptr));
    if (!signed_token) return refuse(TokenFault::malformed, "the token cannot be read");
    const Key key = key_of(secret);
    if (!key || !cjose_jws_verify(signed_token.get(), key.get(), nullptr))
        return refuse(TokenFault::signature, "the token's signature is wrong");
    std::uint8_t* bytes = nullptr;
    std::size_t size = 0;
    if (!cjose_jws_get_plaintext(signed_token.get(), &bytes, &size, nullptr))
        return refuse(TokenFault::malformed, "the token has no content");
    return std::string(reinterpret_cast<const char*>(bytes), size);
}

bool is_absent(const object& claims, std::string_view name) {
    return claims[name].error() == simdjson::NO_SUCH_FIELD || claims[name].is_null();
}

std::expected<std::string, TokenRefusal> text_claim(const object& claims, std::string_view name) {
    std::string_view text;
    if (claims[name].get(text) != simdjson::SUCCESS || text.empty())
        return refuse(TokenFault::claims, fmt::format("the token's claim {} must be a text", name));
    return std::string(text);
}

// Absent is empty.
std::expected<std::vector<std::string>, TokenRefusal> list_claim(const object& claims,
                                                                 std::string_view name) {
    std::vector<std::string> texts;
    if (is_absent(claims, name)) return texts;
    array items;
    if (claims[name].get(items) != simdjson::SUCCESS)
        return refuse(TokenFault::claims, fmt::format("the token's claim {} must be a list of texts", name));
    for (const element item : items) {
        std::string_view text;
        if (item.get(text) != simdjson::SUCCESS)
            return refuse(TokenFault::claims,
                          fmt::format("the token's claim {} must be a list of texts", name));
        texts.emplace_back(text);
    }
    return texts;
}

// Seconds since 1970, whole or not (RFC 7519 NumericDate); nothing when the claim is absent.
std::expected<std::optional<double>, TokenRefusal> time_claim(const object& claims, std::string_view name) {
    if (is_absent(claims, name)) return std::optional<double>();
    double seconds = 0;
    if (claims[name].get(seconds) != simdjson::SUCCESS)
        return refuse(TokenFault::claims,
                      fmt::format("the token's claim {} must be a number of seconds", name));
    return std::optional(seconds);
}

std::expected<void, TokenRefusal> check_times(const object& claims, UnixNanos now) {
    const double seconds = static_cast<double>(now.since_epoch) / nanos_a_second;
    const double latest_start = seconds + static_cast<double>(AccessTokens::leeway.count) / nanos_a_second;
    for (const std::string_view name : {"iat", "nbf"}) {
        const auto start = time_claim(claims, name);
        if (!start) return std::unexpected(start.error());
        if (start->value_or(seconds) > latest_start)
            return refuse(TokenFault::not_yet_valid, fmt::format("the token's {} lies in the future", name));
    }
    const auto end = time_claim(claims, "exp");
    if (!end) return std::unexpected(end.error());
    if (!end->has_value()) return refuse(TokenFault::claims, "the token does not say when it expires (exp)");
    if (**end <= seconds) return refuse(TokenFault::expired, "the token has expired");
    return {};
}

std::expected<Principal, TokenRefusal> principal_of(const object& claims) {
    const auto subject = text_claim(claims, "sub");
    const auto org = text_claim(claims, "org_id");
    const auto role_name = text_claim(claims, "role");
    const auto projects = list_claim(claims, "projects");
    auto permissions = list_claim(claims, "permissions");
    for (const auto* claim : {&subject, &org, &role_name})
        if (!*claim) return std::unexpected(claim->error());
    for (const auto* claim : {&projects, &std::as_const(permissions)})
        if (!*claim) return std::unexpected(claim->error());
    const std::optional<Role> role = role_from(*role_name);
    if (!role)
        return refuse(TokenFault::claims, "the token's role is none of admin, developer, viewer, billing");
    if (is_absent(claims, "permissions")) permissions = permissions_of(*role);
    return Principal{*subject, *org, *projects, *role, *std::move(permissions)};
}

void write_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
    json.key(name).begin_array();
    for (const std::string& text : texts) json.value(text);
    json.end_array();
}

std::string claims_of(const TokenRequest& request, UnixNanos now) {
    const std::int64_t issued = now.since_epoch / nanos_a_second;
    std::string text;
    JsonWriter json(text);
    json.begin_object().field("sub", request.subject).field("org_id", request.org);
    write_list(json, "projects", request.projects);
    json.field("role", name_of(request.role));
    json.field("iat", issued).field("exp", issued + request.lifetime.count / nanos_a_second);
    json.field("jti", random_text(22)).end_object();
    return text;
}

// `traces:read` is `read:traces`.
bool is_same_permission(std::string_view a, std::string_view b) {
    if (a == b) return true;
    const std::size_t colon = a.find(':');
    if (colon == std::string_view::npos || a.size() != b.size()) return false;
    const std::string_view left = a.substr(0, colon), right = a.substr(colon + 1);
    return b.starts_with(right) && b.ends_with(left) && b[right.size()] == ':';
}

}  // namespace

std::string_view name_of(Role role) {
    switch (role) {
        case Role::admin: return "admin";
        case Role::developer: return "developer";
        case Role::viewer: return "viewer";
        case Role::billing: return "billing";
    }
    return "";
}

std::optional<Role> role_from(std::string_view text) {
    for (const Role role : all_roles)
        if (equal_ignoring_case(text, name_of(role))) return role;
    return std::nullopt;
}

std::vector<std::string> permissions_of(Role role) {
    switch (role) {
        case Role::admin: return {"*"};
        case Role::developer:
            return {"read:traces",    "read:metrics", "read:costs",     "write:evaluations",
                    "write:feedback", "read:exports", "create:exports", "download:exports",
                    "cancel:exports", "read:alerts",  "query:metrics",  "read:content"};
        case Role::viewer:
            return {"read:traces",  "read:metrics",     "read:costs",
                    "read:exports", "download:exports", "read:alerts"};
        // `export:costs` is narrower than `create:exports`: the columns of costs alone, and the file they
        // give.
        case Role::billing:
            return {"read:costs", "read:usage", "read:exports", "export:costs", "manage:budgets"};
    }
    return {};
}

bool Principal::may(std::string_view permission) const {
    return std::ranges::any_of(permissions, [&](std::string_view held) {
        return held == "*" || is_same_permission(held, permission);
    });
}

std::string_view code_of(TokenFault fault) {
    return fault == TokenFault::expired ? "EXPIRED_TOKEN" : "INVALID_TOKEN";
}

Result<AccessTokens> AccessTokens::with_secret(Secret secret) {
    if (secret.reveal().size() < secret_minimum)
        return fail(ErrorKind::invalid_input, "the secret for tokens has {} characters; it needs {} or more",
                    secret.reveal().size(), secret_minimum);
    return AccessTokens(std::move(secret));
}

Result<AccessTokens> AccessTokens::of_directory(const DataDirectory& directory) {
    for (const char* variable : {"LLMOBS_JWT_SECRET", "JWT_SECRET"}) {
        const char* value = std::getenv(variable);
        if (value != nullptr && *value != '\0') return OBS_TRY(with_secret(Secret(value)), "{}", variable);
    }
    return with_secret(OBS_TRY(directory.secret("jwt")));
}

Result<std::string> AccessTokens::issue(const TokenRequest& request, UnixNanos now) const {
    if (request.lifetime < Nanos::seconds(1) || request.lifetime > Nanos::days(longest_lifetime_days))
        return fail(ErrorKind::invalid_input, "a token lives from one second to {} days",
                    longest_lifetime_days);
    const std::string claims = claims_of(request, now);
    const Header header(cjose_header_new(nullptr));
    const Key key = key_of(secret_);
    if (!header || !key || !cjose_header_set(header.get(), "alg", "HS256", nullptr) ||
        !cjose_header_set(header.get(), "typ", "JWT", nullptr))
        return fail(ErrorKind::internal, "cannot prepare a token");
    const Signature signed_token(cjose_jws_sign(key.get(), header.get(),
                                                reinterpret_cast<const std::uint8_t*>(claims.data()),
                                                claims.size(), nullptr));
    const char* compact = nullptr;
    if (!signed_token || !cjose_jws_export(signed_token.get(), &compact, nullptr))
        return fail(ErrorKind::internal, "cannot sign a token");
    return std::string(compact);
}

std::expected<Principal, TokenRefusal> AccessTokens::verify(std::string_view token, UnixNanos now) const {
    if (token.size() > size_limit) return refuse(TokenFault::malformed, "the token is larger than 8 KiB");
    if (!has_compact_form(token))
        return refuse(TokenFault::malformed, "the token is not three parts of base64url");
    if (const auto header = check_header(token.substr(0, token.find('.'))); !header)
        return std::unexpected(header.error());
    const auto payload = checked_payload(token, secret_);
    if (!payload) return std::unexpected(payload.error());
    simdjson::dom::parser parser;
    object claims;
    if (parser.parse(*payload).get(claims) != simdjson::SUCCESS)
        return refuse(TokenFault::malformed, "the token's content is no JSON object");
    if (const auto times = check_times(claims, now); !times) return std::unexpected(times.error());
    return principal_of(claims);
}

}  // namespace obs
