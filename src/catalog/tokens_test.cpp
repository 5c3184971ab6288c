#include "catalog/tokens.h"

#include <cstdlib>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "catalog/scratch.h"
#include "catalog/test_base64.h"

namespace obs {
namespace {

using test::base64url;

constexpr UnixNanos now{1'800'000'000'000'000'000};
constexpr std::string_view good_secret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view hs256 = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view good_claims =
    R"({"sub":"ann","org_id":"default","projects":["default"],"role":"viewer","iat":1800000000,"exp":1800003600})";

// An independent writer of tokens: what an attacker, or another program with our secret, would send.
std::string sign(std::string_view header, std::string_view claims, std::string_view secret = good_secret,
                 const EVP_MD* digest = EVP_sha256()) {
    const std::string content = base64url(header) + "." + base64url(claims);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(digest, secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(content.data()), content.size(), mac, &size);
    return content + "." + base64url({reinterpret_cast<const char*>(mac), size});
}

AccessTokens tokens() {
    return *AccessTokens::with_secret(Secret(std::string(good_secret)));
}

std::string claims_with(std::string_view more) {
    std::string claims(good_claims);
    claims.insert(claims.size() - 1, "," + std::string(more));
    return claims;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string changed(text);
    const std::size_t at = changed.find(from);
    if (at == std::string::npos) std::abort();
    return changed.replace(at, from.size(), to);
}

std::string with_flipped(std::string token, std::size_t at) {
    token[at] = token[at] == 'A' ? 'B' : 'A';
    return token;
}

std::string content_of(const std::string& token) {
    return token.substr(0, token.rfind('.'));
}
std::string signature_of(const std::string& token) {
    return token.substr(token.rfind('.') + 1);
}

struct Attack {
    std::string_view what;
    std::function<std::string()> token;
    TokenFault fault;
};
class Attacks : public testing::TestWithParam<Attack> {};

TEST_P(Attacks, areRefused) {
    const auto verified = tokens().read(GetParam().token(), now);
    ASSERT_FALSE(verified);
    EXPECT_EQ(static_cast<int>(verified.error().fault), static_cast<int>(GetParam().fault))
        << verified.error().message;
}

std::string from_claims(std::string_view from, std::string_view to) {
    return sign(hs256, replaced(good_claims, from, to));
}

INSTANTIATE_TEST_SUITE_P(
    AccessTokens, Attacks,
    testing::Values(
        Attack{"nothing", [] { return ""; }, TokenFault::malformed},
        Attack{"one_word", [] { return "token"; }, TokenFault::malformed},
        Attack{"two_parts", [] { return content_of(sign(hs256, good_claims)); }, TokenFault::malformed},
        Attack{"empty_parts", [] { return ".."; }, TokenFault::malformed},
        Attack{"empty_signature", [] { return content_of(sign(hs256, good_claims)) + "."; },
               TokenFault::malformed},
        Attack{"extra_dot_behind", [] { return sign(hs256, good_claims) + "."; }, TokenFault::malformed},
        Attack{"extra_part", [] { return sign(hs256, good_claims) + ".AAAA"; }, TokenFault::malformed},
        Attack{"dot_in_front", [] { return "." + sign(hs256, good_claims); }, TokenFault::malformed},
        Attack{"line_break_inside", [] { return sign(hs256, good_claims).insert(20, "\n"); },
               TokenFault::malformed},
        Attack{"zero_byte_behind", [] { return sign(hs256, good_claims) + '\0'; }, TokenFault::malformed},
        Attack{"padding_behind", [] { return sign(hs256, good_claims) + "="; }, TokenFault::malformed},
        Attack{"with_its_scheme", [] { return "Bearer " + sign(hs256, good_claims); }, TokenFault::malformed},
        Attack{"huge", [] { return sign(hs256, claims_with("\"x\":\"" + std::string(8000, 'x') + "\"")); },
               TokenFault::malformed},
        Attack{"header_is_no_json", [] { return sign("HS256", good_claims); }, TokenFault::malformed},
        Attack{"header_is_a_list", [] { return sign(R"(["HS256"])", good_claims); }, TokenFault::malformed},
        Attack{"algorithm_none", [] { return sign(R"({"alg":"none"})", good_claims); },
               TokenFault::algorithm},
        Attack{"algorithm_none_in_capitals", [] { return sign(R"({"alg":"NONE"})", good_claims); },
               TokenFault::algorithm},
        Attack{"algorithm_absent", [] { return sign(R"({"typ":"JWT"})", good_claims); },
               TokenFault::algorithm},
        Attack{"algorithm_in_lower_case", [] { return sign(R"({"alg":"hs256"})", good_claims); },
               TokenFault::algorithm},
        Attack{"algorithm_is_a_number", [] { return sign(R"({"alg":256})", good_claims); },
               TokenFault::algorithm},
        Attack{"public_key_algorithm_with_our_secret", [] { return sign(R"({"alg":"RS256"})", good_claims); },
               TokenFault::algorithm},
        Attack{"longer_hash_with_our_secret",
               [] { return sign(R"({"alg":"HS512"})", good_claims, good_secret, EVP_sha512()); },
               TokenFault::algorithm},
        Attack{"algorithm_twice_none_last",
               [] { return sign(R"({"alg":"HS256","alg":"none"})", good_claims, "guess"); },
               TokenFault::signature},
        Attack{"critical_header", [] { return sign(R"({"alg":"HS256","crit":["exp"]})", good_claims); },
               TokenFault::algorithm},
        Attack{
            "own_key_in_header",
            [] {
                return sign(
                    R"({"alg":"HS256","jwk":{"kty":"oct","k":"Z3Vlc3NndWVzc2d1ZXNzZ3Vlc3NndWVzc2d1ZXNz"}})",
                    good_claims, "guessguessguessguessguessguess");
            },
            TokenFault::signature},
        Attack{"other_secret", [] { return sign(hs256, good_claims, "fedcba9876543210fedcba9876543210"); },
               TokenFault::signature},
        Attack{"empty_secret", [] { return sign(hs256, good_claims, ""); }, TokenFault::signature},
        Attack{"truncated_signature",
               [] {
                   const std::string token = sign(hs256, good_claims);
                   return token.substr(0, token.size() - 4);
               },
               TokenFault::signature},
        Attack{"one_character_of_signature", [] { return content_of(sign(hs256, good_claims)) + ".A"; },
               TokenFault::malformed},
        Attack{"longer_signature", [] { return sign(hs256, good_claims) + "AAAA"; }, TokenFault::signature},
        Attack{"changed_signature",
               [] {
                   const std::string token = sign(hs256, good_claims);
                   return with_flipped(token, token.size() - 10);
               },
               TokenFault::signature},
        Attack{"more_rights_under_an_old_signature",
               [] {
                   const std::string claims = replaced(good_claims, "viewer", "admin");
                   return base64url(hs256) + "." + base64url(claims) + "." +
                          signature_of(sign(hs256, good_claims));
               },
               TokenFault::signature},
        Attack{"content_is_no_json", [] { return sign(hs256, "hello"); }, TokenFault::malformed},
        Attack{"content_is_a_text", [] { return sign(hs256, "\"hello\""); }, TokenFault::malformed},
        Attack{"content_nested_too_deep",
               [] {
                   return sign(hs256,
                               claims_with("\"x\":" + std::string(2000, '[') + std::string(2000, ']')));
               },
               TokenFault::malformed},
        Attack{"expired_this_second", [] { return from_claims("1800003600", "1800000000"); },
               TokenFault::expired},
        Attack{"expired_long_ago", [] { return from_claims("1800003600", "1"); }, TokenFault::expired},
        Attack{"expired_before_1970", [] { return from_claims("1800003600", "-5"); }, TokenFault::expired},
        Attack{"issued_in_the_future", [] { return from_claims(":1800000000", ":1800000061"); },
               TokenFault::not_yet_valid},
        Attack{"not_valid_before_later", [] { return sign(hs256, claims_with("\"nbf\":1800000061")); },
               TokenFault::not_yet_valid},
        Attack{"never_expires", [] { return from_claims(R"(,"exp":1800003600)", ""); }, TokenFault::claims},
        Attack{"expires_null", [] { return from_claims("1800003600", "null"); }, TokenFault::claims},
        Attack{"expires_as_text", [] { return from_claims("1800003600", R"("1800003600")"); },
               TokenFault::claims},
        Attack{"subject_absent", [] { return from_claims(R"("sub":"ann",)", ""); }, TokenFault::claims},
        Attack{"organisation_empty", [] { return from_claims(R"("org_id":"default")", R"("org_id":"")"); },
               TokenFault::claims},
        Attack{"organisation_is_a_number",
               [] { return from_claims(R"("org_id":"default")", R"("org_id":1)"); }, TokenFault::claims},
        Attack{"role_absent", [] { return from_claims(R"("role":"viewer",)", ""); }, TokenFault::claims},
        Attack{"projects_is_a_text", [] { return from_claims(R"(["default"])", R"("default")"); },
               TokenFault::claims},
        Attack{"projects_holds_a_number", [] { return from_claims(R"(["default"])", "[7]"); },
               TokenFault::claims},
        Attack{"permissions_is_a_text", [] { return sign(hs256, claims_with(R"("permissions":"*")")); },
               TokenFault::claims}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(AccessTokens, survivesEveryChangeOfOneCharacter) {
    const std::string token = sign(hs256, good_claims);
    // The last character of a part carries unused bits: a change of those alone decodes to the same bytes.
    for (std::size_t at = 0; at < token.size(); ++at) {
        const bool last_of_part = at + 1 == token.size() || token[at + 1] == '.';
        if (token[at] == '.' || last_of_part) continue;
        EXPECT_FALSE(tokens().read(with_flipped(token, at), now)) << at;
    }
}

struct Accepted {
    std::string_view what;
    std::function<std::string()> token;
};
class AcceptedTokens : public testing::TestWithParam<Accepted> {};
TEST_P(AcceptedTokens, areRead) {
    const auto verified = tokens().read(GetParam().token(), now);
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->principal.subject, "ann");
    EXPECT_EQ(name_of(verified->principal.role), "viewer");
}
INSTANTIATE_TEST_SUITE_P(
    AccessTokens, AcceptedTokens,
    testing::Values(
        Accepted{"as_documented", [] { return sign(hs256, good_claims); }},
        Accepted{"role_in_capitals", [] { return from_claims("viewer", "VIEWER"); }},
        Accepted{"without_typ", [] { return sign(R"({"alg":"HS256"})", good_claims); }},
        Accepted{"clock_60_s_ahead", [] { return from_claims(":1800000000", ":1800000060"); }},
        Accepted{"times_with_fractions", [] { return from_claims("1800003600", "1800003600.5"); }},
        Accepted{"far_end", [] { return from_claims("1800003600", "1e300"); }},
        Accepted{"unknown_claims", [] { return sign(hs256, claims_with(R"("iss":"x","n":{"a":[1]})")); }},
        Accepted{"permissions_null", [] { return sign(hs256, claims_with(R"("permissions":null)")); }}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(AccessTokens, readsBackWhatItIssued) {
    const TokenRequest request{.role = Role::developer,
                               .lifetime = Nanos::hours(1),
                               .subject = "bob \"the\" builder",
                               .org = "default",
                               .projects = {"default", "shop"}};
    const Result<std::string> token = tokens().issue(request, now);
    ASSERT_TRUE(token) << token.error().message;
    const auto claims = tokens().read(*token, now);
    ASSERT_TRUE(claims) << claims.error().message;
    const Principal* principal = &claims->principal;
    EXPECT_EQ(principal->subject, request.subject);
    EXPECT_EQ(principal->org, "default");
    EXPECT_EQ(principal->projects, request.projects);
    EXPECT_EQ(principal->permissions, permissions_of(Role::developer));
    EXPECT_TRUE(tokens().read(*token, now + Nanos::seconds(3599)));
    const auto late = tokens().read(*token, now + Nanos::seconds(3600));
    ASSERT_FALSE(late);
    EXPECT_EQ(code_of(late.error().fault), "EXPIRED_TOKEN");
}

TEST(AccessTokens, issuesEachTokenOnce) {
    EXPECT_NE(tokens().issue({}, now).value_or(""), tokens().issue({}, now).value_or(""));
}

TEST(AccessTokens, refusesALifetimeOfNothingOrForever) {
    for (const Nanos lifetime : {Nanos{0}, Nanos::seconds(-1), Nanos::days(3661)})
        EXPECT_FALSE(tokens().issue({.lifetime = lifetime}, now)) << lifetime.count;
}

TEST(AccessTokens, takesThePermissionsOfTheTokenOverThoseOfItsRole) {
    const auto narrowed = tokens().read(sign(hs256, claims_with(R"("permissions":["read:costs"])")), now);
    ASSERT_TRUE(narrowed);
    EXPECT_TRUE(narrowed->principal.may("costs:read"));
    EXPECT_FALSE(narrowed->principal.may("read:traces"));
    const auto none = tokens().read(sign(hs256, claims_with(R"("permissions":[])")), now);
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->principal.may("read:costs"));
}

TEST(AccessTokens, refusesAShortSecret) {
    EXPECT_FALSE(AccessTokens::with_secret(Secret(std::string(31, 'x'))));
    EXPECT_TRUE(AccessTokens::with_secret(Secret(std::string(32, 'x'))));
}

TEST(AccessTokens, ofTheSameDirectoryUnderstandEachOther) {
    const Scratch scratch;
    const Result<DataDirectory> server = DataDirectory::open(scratch.path(), Lock::take);
    ASSERT_TRUE(server);
    Catalog catalog = *Catalog::open(server->catalog_file(), Migrations::apply);
    const Result<AccessTokens> there = AccessTokens::of(*server, catalog);
    ASSERT_TRUE(there) << there.error().message;
    const Result<DataDirectory> command = DataDirectory::open(scratch.path(), Lock::read_only);
    ASSERT_TRUE(command);
    const Result<AccessTokens> here = AccessTokens::of(*command, catalog);
    ASSERT_TRUE(here) << here.error().message;
    EXPECT_TRUE(there->read(here->issue({}, now).value_or(""), now));
    EXPECT_FALSE(tokens().read(here->issue({}, now).value_or(""), now));
}

TEST(AccessTokens, useTheSecretOfTheEnvironmentWhenThereIsOne) {
    const Scratch scratch;
    const Result<DataDirectory> directory = DataDirectory::open(scratch.path(), Lock::take);
    ASSERT_TRUE(directory);
    Catalog catalog = *Catalog::open(directory->catalog_file(), Migrations::apply);
    for (const char* variable : {"JWT_SECRET", "LLMOBS_JWT_SECRET"}) {
        ::setenv(variable, std::string(good_secret).c_str(), 1);
        const Result<AccessTokens> ours = AccessTokens::of(*directory, catalog);
        ::setenv(variable, "too short", 1);
        const Result<AccessTokens> refused = AccessTokens::of(*directory, catalog);
        ::unsetenv(variable);
        ASSERT_TRUE(ours) << ours.error().message;
        EXPECT_TRUE(ours->read(sign(hs256, good_claims), now)) << variable;
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message.find(variable), std::string::npos) << refused.error().message;
        EXPECT_EQ(refused.error().message.find("too short"), std::string::npos);
    }
}

struct MayCase {
    std::string_view what;
    Role role;
    std::string_view permission;
    bool allowed;
};
class May : public testing::TestWithParam<MayCase> {};
TEST_P(May, followsTheRoleTable) {
    const Principal principal{"ann", "default", {}, GetParam().role, permissions_of(GetParam().role)};
    EXPECT_EQ(principal.may(GetParam().permission), GetParam().allowed);
}
INSTANTIATE_TEST_SUITE_P(
    Principal, May,
    testing::Values(MayCase{"admin_everything", Role::admin, "delete:world", true},
                    MayCase{"admin_content", Role::admin, "read:content", true},
                    MayCase{"developer_content", Role::developer, "read:content", true},
                    MayCase{"developer_metrics_query", Role::developer, "query:metrics", true},
                    MayCase{"developer_reversed_spelling", Role::developer, "metrics:query", true},
                    MayCase{"developer_no_budgets", Role::developer, "manage:budgets", false},
                    MayCase{"viewer_traces", Role::viewer, "read:traces", true},
                    MayCase{"viewer_traces_reversed", Role::viewer, "traces:read", true},
                    MayCase{"viewer_no_content", Role::viewer, "read:content", false},
                    MayCase{"viewer_no_new_exports", Role::viewer, "create:exports", false},
                    MayCase{"viewer_no_feedback", Role::viewer, "write:feedback", false},
                    MayCase{"billing_costs", Role::billing, "costs:read", true},
                    MayCase{"billing_no_traces", Role::billing, "read:traces", false},
                    MayCase{"billing_no_content", Role::billing, "read:content", false},
                    MayCase{"nothing_by_half_a_word", Role::viewer, "read", false},
                    MayCase{"nothing_by_empty", Role::viewer, "", false},
                    MayCase{"nothing_by_prefix", Role::viewer, "read:tracesx", false},
                    MayCase{"nothing_by_star", Role::viewer, "*", false}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(RoleFrom, readsAnyCaseAndNoOtherWord) {
    EXPECT_EQ(role_from("Admin"), Role::admin);
    EXPECT_EQ(role_from("BILLING"), Role::billing);
    for (const std::string_view word : {"", "adm", "admins", "admin ", "root"})
        EXPECT_FALSE(role_from(word)) << word;
}

}  // namespace
}  // namespace obs
