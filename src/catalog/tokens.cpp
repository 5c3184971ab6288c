#include "catalog/tokens.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <cjose/cjose.h>
#include <simdjson.h>

#include "base/json_writer.h"
#include "catalog/sha256.h"

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

struct TokenHeader {
    Algorithm algorithm = Algorithm::hs256;
    std::string kid{};
};

// The header decides how a signature is checked, so it is read before any library sees the token. What else
// it may name (jwk, jku, x5u, …) is never looked at: keys come from us alone.
std::expected<TokenHeader, TokenRefusal> header_of(std::string_view part, const JwtKeys& others) {
    const std::optional<std::string> text = decoded(part);
    simdjson::dom::parser parser;
    object header;
    if (!text || parser.parse(*text).get(header) != simdjson::SUCCESS)
        return refuse(TokenFault::malformed, "the token's header is no JSON object");
    std::string_view algorithm;
    if (header["alg"].get(algorithm) != simdjson::SUCCESS) algorithm = {};
    TokenHeader found;
    if (algorithm == name_of(Algorithm::rs256) && others.has(Algorithm::rs256))
        found.algorithm = Algorithm::rs256;
    else if (algorithm == name_of(Algorithm::es256) && others.has(Algorithm::es256))
        found.algorithm = Algorithm::es256;
    else if (algorithm != name_of(Algorithm::hs256))
        return refuse(TokenFault::algorithm,
                      "the token must be signed with HS256, or with a key that is trusted here");
    // RFC 7515 4.1.11: who does not know what is critical must refuse.
    if (header["crit"].error() != simdjson::NO_SUCH_FIELD)
        return refuse(TokenFault::algorithm, "the token has critical header fields that are not known here");
    std::string_view kid;
    if (header["kid"].error() != simdjson::NO_SUCH_FIELD && header["kid"].get(kid) != simdjson::SUCCESS)
        return refuse(TokenFault::algorithm, "the token's kid must be a text");
    found.kid = kid;
    return found;
}

std::expected<std::string, TokenRefusal> payload_by_secret(std::string_view token, const Secret& secret) {
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

std::expected<std::string, TokenRefusal> payload_by_key(std::string_view token, const TokenHeader& header,
                                                        const JwtKeys& keys) {
    const std::size_t first = token.find('.'), last = token.rfind('.');
    const auto signature = decoded(token.substr(last + 1));
    auto payload = decoded(token.substr(first + 1, last - first - 1));
    if (!signature || !payload) return refuse(TokenFault::malformed, "the token cannot be read");
    if (!keys.verify(header.algorithm, header.kid, token.substr(0, last), *signature))
        return refuse(TokenFault::signature, "the token's signature is wrong");
    return *std::move(payload);
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

// When the token expires.
std::expected<UnixNanos, TokenRefusal> check_times(const object& claims, UnixNanos now) {
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
    constexpr double latest = 9e9;  // seconds; the year 2255, inside 64 bits of nanoseconds
    return UnixNanos{static_cast<std::int64_t>(std::min(**end, latest) * nanos_a_second)};
}

// `aud` is a text or a list of texts (RFC 7519 4.1.3).
bool is_for(const object& claims, std::string_view audience) {
    std::string_view one;
    if (claims["aud"].get(one) == simdjson::SUCCESS) return one == audience;
    const auto several = list_claim(claims, "aud");
    return several && std::ranges::find(*several, audience) != several->end();
}

std::expected<void, TokenRefusal> check_origin(const object& claims, const AccessTokens::Trust& others) {
    std::string_view issuer;
    if (!others.issuer.empty() && (claims["iss"].get(issuer) != simdjson::SUCCESS || issuer != others.issuer))
        return refuse(TokenFault::claims, "the token was made by an issuer that is not trusted here");
    if (!others.audience.empty() && !is_for(claims, others.audience))
        return refuse(TokenFault::claims, "the token was made for another audience");
    return {};
}

// Empty when the claim is absent.
std::expected<std::string, TokenRefusal> optional_text(const object& claims, std::string_view name) {
    return is_absent(claims, name) ? std::string() : text_claim(claims, name);
}

std::expected<TokenClaims, TokenRefusal> read_claims(const object& claims, bool ours) {
    const auto subject = text_claim(claims, "sub");
    const auto org = text_claim(claims, "org_id");
    const auto role = text_claim(claims, "role");
    const auto id = optional_text(claims, "jti");
    // A session and a key are ours to name.
    const auto session = ours ? optional_text(claims, "sid") : std::string();
    const auto key = ours ? optional_text(claims, "key") : std::string();
    for (const auto* claim : {&subject, &org, &role, &id, &session, &key})
        if (!*claim) return std::unexpected(claim->error());
    const auto projects = list_claim(claims, "projects");
    auto permissions = list_claim(claims, "permissions");
    for (const auto* claim : {&projects, &std::as_const(permissions)})
        if (!*claim) return std::unexpected(claim->error());
    const std::optional<Role> known = role_from(*role);
    const bool stated = !is_absent(claims, "permissions");
    if (!stated && known) permissions = permissions_of(*known);
    TokenClaims found;
    found.states_permissions = stated;
    found.ours = ours;
    found.principal = {*subject, *org, *projects, known.value_or(Role::custom), *std::move(permissions)};
    if (!known) found.principal.role_name = *role;
    found.principal.session = *session;
    found.principal.key = *key;
    found.principal.token = *id;
    return found;
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
    json.field("role", request.role == Role::custom ? request.role_name : name_of(request.role));
    if (request.permissions) write_list(json, "permissions", *request.permissions);
    if (!request.session.empty()) json.field("sid", request.session);
    if (!request.key.empty()) json.field("key", request.key);
    json.field("iat", issued).field("exp", issued + request.lifetime.count / nanos_a_second);
    json.field("jti", request.session.empty() ? random_text(22) : request.session).end_object();
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
        case Role::custom: break;
    }
    return "";
}

std::optional<std::string_view> permission_from(std::string_view text) {
    if (text == "*") return "*";
    const auto* known = std::ranges::find_if(
        all_permissions, [&](std::string_view permission) { return is_same_permission(permission, text); });
    return known == all_permissions.end() ? std::nullopt : std::optional(*known);
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
        case Role::custom: break;
    }
    return {};
}

bool Principal::may(std::string_view permission) const {
    return std::ranges::any_of(permissions, [&](std::string_view held) {
        return held == "*" || is_same_permission(held, permission);
    });
}

std::string_view code_of(TokenFault fault) {
    if (fault == TokenFault::key) return "INVALID_API_KEY";
    return fault == TokenFault::expired ? "EXPIRED_TOKEN" : "INVALID_TOKEN";
}

Result<AccessTokens> AccessTokens::with_secret(Secret secret) {
    if (secret.reveal().size() < secret_minimum)
        return fail(ErrorKind::invalid_input, "the secret for tokens has {} characters; it needs {} or more",
                    secret.reveal().size(), secret_minimum);
    return AccessTokens(std::move(secret));
}

Result<AccessTokens> AccessTokens::of(const DataDirectory& directory, Catalog& catalog) {
    for (const char* variable : {"LLMOBS_JWT_SECRET", "JWT_SECRET"}) {
        const char* value = std::getenv(variable);
        if (value != nullptr && *value != '\0') return OBS_TRY(with_secret(Secret(value)), "{}", variable);
    }
    if (catalog.address().is_file()) return with_secret(OBS_TRY(directory.secret("jwt")));
    return with_secret(Secret(OBS_TRY(catalog.setting_or_set("jwt_secret", random_text(64)))));
}

std::string AccessTokens::installation() const {
    return sha256_hex("installation " + std::string(secret_.reveal())).substr(0, 32);
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

std::expected<TokenClaims, TokenRefusal> AccessTokens::read(std::string_view token, UnixNanos now) const {
    if (token.size() > size_limit) return refuse(TokenFault::malformed, "the token is larger than 8 KiB");
    if (!has_compact_form(token))
        return refuse(TokenFault::malformed, "the token is not three parts of base64url");
    const auto header = header_of(token.substr(0, token.find('.')), others_.keys);
    if (!header) return std::unexpected(header.error());
    const bool ours = header->algorithm == Algorithm::hs256;
    const auto payload =
        ours ? payload_by_secret(token, secret_) : payload_by_key(token, *header, others_.keys);
    if (!payload) return std::unexpected(payload.error());
    simdjson::dom::parser parser;
    object claims;
    if (parser.parse(*payload).get(claims) != simdjson::SUCCESS)
        return refuse(TokenFault::malformed, "the token's content is no JSON object");
    const auto expires = check_times(claims, now);
    if (!expires) return std::unexpected(expires.error());
    if (!ours)
        if (const auto origin = check_origin(claims, others_); !origin)
            return std::unexpected(origin.error());
    auto found = read_claims(claims, ours);
    if (!found) return found;
    found->principal.expires = *expires;
    // What is signed is the name of a token without one: its signature can be written in several ways.
    if (found->principal.token.empty())
        found->principal.token = sha256_hex(token.substr(0, token.rfind('.')));
    return found;
}

}  // namespace obs
