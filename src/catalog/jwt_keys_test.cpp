// Tokens of other issuers, and what an attacker makes of their public keys.
#include "catalog/jwt_keys.h"

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "catalog/scratch.h"
#include "catalog/test_base64.h"
#include "catalog/tokens.h"

namespace obs {
namespace {

using test::base64url;

constexpr UnixNanos now{1'800'000'000'000'000'000};
constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view good_claims =
    R"({"sub":"ann","org_id":"default","projects":["default"],"role":"viewer","iat":1800000000,"exp":1800003600,)"
    R"("iss":"https://id.example","aud":["other","observatory"]})";

// A key pair as an issuer has it.
class Pair {
public:
    explicit Pair(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {
        if (!key_) std::abort();
    }
    std::string pem() const {
        BIO* out = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(out, key_.get());
        return taken(out);
    }
    std::string private_pem() const {
        BIO* out = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
        return taken(out);
    }
    // With `kid` and whatever else, or the other way round with what is left out.
    std::string jwk(std::string_view more) const {
        if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA)
            return fmt::format(R"({{"kty":"RSA","n":"{}","e":"{}"{}}})", number(OSSL_PKEY_PARAM_RSA_N),
                               number(OSSL_PKEY_PARAM_RSA_E), more);
        return fmt::format(R"({{"kty":"EC","crv":"P-256","x":"{}","y":"{}"{}}})",
                           number(OSSL_PKEY_PARAM_EC_PUB_X, 32), number(OSSL_PKEY_PARAM_EC_PUB_Y, 32), more);
    }
    std::string sign(std::string_view header, std::string_view claims) const {
        const std::string content = base64url(header) + "." + base64url(claims);
        return content + "." + base64url(signature(content));
    }

private:
    static std::string taken(BIO* out) {
        char* text = nullptr;
        const long size = BIO_get_mem_data(out, &text);
        std::string copy(text, static_cast<std::size_t>(size));
        BIO_free(out);
        return copy;
    }
    std::string number(const char* name, int width = 0) const {
        BIGNUM* value = nullptr;
        if (EVP_PKEY_get_bn_param(key_.get(), name, &value) != 1) std::abort();
        std::string bytes(static_cast<std::size_t>(std::max(width, BN_num_bytes(value))), '\0');
        BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
        BN_free(value);
        return base64url(bytes);
    }
    std::string signature(std::string_view content) const {
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        std::size_t size = 0;
        EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get());
        const auto* bytes = reinterpret_cast<const unsigned char*>(content.data());
        EVP_DigestSign(context, nullptr, &size, bytes, content.size());
        std::string made(size, '\0');
        EVP_DigestSign(context, reinterpret_cast<unsigned char*>(made.data()), &size, bytes, content.size());
        made.resize(size);
        EVP_MD_CTX_free(context);
        return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC ? raw(made) : made;
    }
    static std::string raw(const std::string& der) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
        ECDSA_SIG* point = d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size()));
        std::string both(64, '\0');
        BN_bn2binpad(ECDSA_SIG_get0_r(point), reinterpret_cast<unsigned char*>(both.data()), 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(point), reinterpret_cast<unsigned char*>(both.data()) + 32, 32);
        ECDSA_SIG_free(point);
        return both;
    }

    std::shared_ptr<EVP_PKEY> key_;
};

const Pair& rsa() {
    static const Pair pair(EVP_RSA_gen(2048));
    return pair;
}
const Pair& ec() {
    static const Pair pair(EVP_EC_gen("P-256"));
    return pair;
}
const Pair& strange() {
    static const Pair pair(EVP_EC_gen("P-256"));
    return pair;
}

std::string key_set() {
    return R"({"keys":[)" + rsa().jwk(R"(,"kid":"r1","alg":"RS256","use":"sig")") + "," +
           ec().jwk(R"(,"kid":"e1")") + R"(,{"kty":"OKP","crv":"Ed25519","x":"AA"}]})";
}

AccessTokens tokens(std::string_view keys) {
    AccessTokens made = *AccessTokens::with_secret(Secret(std::string(secret)));
    Result<JwtKeys> parsed = JwtKeys::parse(keys);
    if (!parsed) throw std::runtime_error(parsed.error().message);
    made.trust({.keys = *std::move(parsed), .issuer = "https://id.example", .audience = "observatory"});
    return made;
}

std::string by_hmac(std::string_view header, std::string_view key) {
    const std::string content = base64url(header) + "." + base64url(good_claims);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(content.data()), content.size(), mac, &size);
    return content + "." + base64url({reinterpret_cast<const char*>(mac), size});
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string changed(text);
    return changed.replace(changed.find(from), from.size(), to);
}

struct Accepted {
    std::string what;
    std::function<std::string()> keys, token;
};
class AcceptedKeys : public testing::TestWithParam<Accepted> {};
TEST_P(AcceptedKeys, checkTheirTokens) {
    const auto claims = tokens(GetParam().keys()).read(GetParam().token(), now);
    ASSERT_TRUE(claims) << claims.error().message;
    EXPECT_EQ(claims->principal.subject, "ann");
    EXPECT_FALSE(claims->ours);
}
INSTANTIATE_TEST_SUITE_P(
    JwtKeys, AcceptedKeys,
    testing::Values(Accepted{"rsa_of_a_set", key_set,
                             [] { return rsa().sign(R"({"alg":"RS256","kid":"r1"})", good_claims); }},
                    Accepted{"ec_of_a_set", key_set,
                             [] { return ec().sign(R"({"alg":"ES256","kid":"e1"})", good_claims); }},
                    Accepted{"without_kid", key_set,
                             [] { return ec().sign(R"({"alg":"ES256"})", good_claims); }},
                    Accepted{"rsa_in_pem", [] { return rsa().pem(); },
                             [] { return rsa().sign(R"({"alg":"RS256"})", good_claims); }},
                    Accepted{"both_in_pem", [] { return rsa().pem() + ec().pem(); },
                             [] { return ec().sign(R"({"alg":"ES256","kid":"any"})", good_claims); }},
                    Accepted{"one_key_alone", [] { return ec().jwk(""); },
                             [] { return ec().sign(R"({"alg":"ES256"})", good_claims); }},
                    Accepted{"audience_as_text", key_set,
                             [] {
                                 return ec().sign(
                                     R"({"alg":"ES256"})",
                                     replaced(good_claims, R"(["other","observatory"])", R"("observatory")"));
                             }}),
    [](const auto& test) { return test.param.what; });

struct Attack {
    std::string what;
    std::function<std::string()> token;
    TokenFault fault;
};
class KeyAttacks : public testing::TestWithParam<Attack> {};
TEST_P(KeyAttacks, areRefused) {
    const auto claims = tokens(key_set()).read(GetParam().token(), now);
    ASSERT_FALSE(claims);
    EXPECT_EQ(static_cast<int>(claims.error().fault), static_cast<int>(GetParam().fault))
        << claims.error().message;
}
INSTANTIATE_TEST_SUITE_P(
    JwtKeys, KeyAttacks,
    testing::Values(
        Attack{"none", [] { return rsa().sign(R"({"alg":"none"})", good_claims); }, TokenFault::algorithm},
        Attack{"none_in_capitals", [] { return rsa().sign(R"({"alg":"nOnE"})", good_claims); },
               TokenFault::algorithm},
        Attack{"hmac_with_the_public_key_as_pem", [] { return by_hmac(R"({"alg":"HS256"})", rsa().pem()); },
               TokenFault::signature},
        Attack{"hmac_with_the_public_key_as_jwk",
               [] { return by_hmac(R"({"alg":"HS256","kid":"r1"})", rsa().jwk("")); }, TokenFault::signature},
        Attack{"hmac_said_to_be_rsa", [] { return by_hmac(R"({"alg":"RS256"})", secret); },
               TokenFault::signature},
        Attack{"rsa_signature_said_to_be_ec", [] { return rsa().sign(R"({"alg":"ES256"})", good_claims); },
               TokenFault::signature},
        Attack{"ec_signature_said_to_be_rsa",
               [] { return ec().sign(R"({"alg":"RS256","kid":"e1"})", good_claims); }, TokenFault::signature},
        Attack{"another_rsa_hash", [] { return rsa().sign(R"({"alg":"RS512"})", good_claims); },
               TokenFault::algorithm},
        Attack{"pss", [] { return rsa().sign(R"({"alg":"PS256"})", good_claims); }, TokenFault::algorithm},
        Attack{"two_algorithms", [] { return by_hmac(R"({"alg":"RS256","alg":"HS256"})", rsa().pem()); },
               TokenFault::signature},
        Attack{"a_strangers_key", [] { return strange().sign(R"({"alg":"ES256"})", good_claims); },
               TokenFault::signature},
        Attack{
            "a_strangers_key_in_the_header",
            [] { return strange().sign(R"({"alg":"ES256","jwk":)" + strange().jwk("") + "}", good_claims); },
            TokenFault::signature},
        Attack{"a_strangers_key_at_an_address",
               [] { return strange().sign(R"({"alg":"ES256","jku":"http://127.0.0.1/keys"})", good_claims); },
               TokenFault::signature},
        Attack{"an_unknown_kid", [] { return ec().sign(R"({"alg":"ES256","kid":"e2"})", good_claims); },
               TokenFault::signature},
        Attack{"the_kid_of_another_key",
               [] { return ec().sign(R"({"alg":"ES256","kid":"r1"})", good_claims); }, TokenFault::signature},
        Attack{"a_path_as_kid",
               [] { return ec().sign(R"({"alg":"ES256","kid":"../../dev/null"})", good_claims); },
               TokenFault::signature},
        Attack{"sql_as_kid", [] { return ec().sign(R"({"alg":"ES256","kid":"' OR 1=1 --"})", good_claims); },
               TokenFault::signature},
        Attack{"a_number_as_kid", [] { return ec().sign(R"({"alg":"ES256","kid":1})", good_claims); },
               TokenFault::algorithm},
        Attack{"critical_header",
               [] { return ec().sign(R"({"alg":"ES256","crit":["b64"],"b64":false})", good_claims); },
               TokenFault::algorithm},
        // CVE-2022-21449: r = s = 0 verifies anything where nobody looks.
        Attack{"signature_of_zeros",
               [] {
                   const std::string token = ec().sign(R"({"alg":"ES256"})", good_claims);
                   return token.substr(0, token.rfind('.') + 1) + base64url(std::string(64, '\0'));
               },
               TokenFault::signature},
        Attack{"short_signature",
               [] {
                   const std::string token = ec().sign(R"({"alg":"ES256"})", good_claims);
                   return token.substr(0, token.rfind('.') + 1) + base64url(std::string(63, 'x'));
               },
               TokenFault::signature},
        Attack{"empty_signature",
               [] {
                   const std::string token = ec().sign(R"({"alg":"ES256"})", good_claims);
                   return token.substr(0, token.rfind('.') + 1);
               },
               TokenFault::malformed},
        Attack{"changed_claims",
               [] {
                   const std::string token = ec().sign(R"({"alg":"ES256"})", good_claims);
                   return token.substr(0, token.find('.') + 1) +
                          base64url(replaced(good_claims, "viewer", "admin")) +
                          token.substr(token.rfind('.'));
               },
               TokenFault::signature},
        Attack{
            "huge",
            [] { return ec().sign(R"({"alg":"ES256"})", std::string(good_claims) + std::string(9000, ' ')); },
            TokenFault::malformed},
        Attack{
            "expired",
            [] { return ec().sign(R"({"alg":"ES256"})", replaced(good_claims, "1800003600", "1800000000")); },
            TokenFault::expired},
        Attack{"issued_in_the_future",
               [] {
                   return ec().sign(R"({"alg":"ES256"})",
                                    replaced(good_claims, ":1800000000", ":1800000061"));
               },
               TokenFault::not_yet_valid},
        Attack{"another_issuer",
               [] { return ec().sign(R"({"alg":"ES256"})", replaced(good_claims, "id.example", "id.evil")); },
               TokenFault::claims},
        Attack{"another_audience",
               [] { return ec().sign(R"({"alg":"ES256"})", replaced(good_claims, "observatory", "shop")); },
               TokenFault::claims},
        Attack{"no_audience",
               [] {
                   return ec().sign(R"({"alg":"ES256"})",
                                    replaced(good_claims, R"(,"aud":["other","observatory"])", ""));
               },
               TokenFault::claims}),
    [](const auto& test) { return test.param.what; });

TEST(JwtKeys, cannotNameSessionsAndKeysOfOurs) {
    const std::string claims = replaced(good_claims, R"("sub")", R"("sid":"s","key":"k","sub")");
    const auto read = tokens(key_set()).read(ec().sign(R"({"alg":"ES256"})", claims), now);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->principal.session + read->principal.key, "");
}

TEST(JwtKeys, areNotNeededForOurOwnTokens) {
    const AccessTokens both = tokens(key_set());
    EXPECT_TRUE(both.read(both.issue({}, now).value(), now)->ours);
}

TEST(JwtKeys, ofAnIssuerSayNothingWithoutBeingTrusted) {
    const AccessTokens none = *AccessTokens::with_secret(Secret(std::string(secret)));
    const auto read = none.read(rsa().sign(R"({"alg":"RS256"})", good_claims), now);
    ASSERT_FALSE(read);
    EXPECT_EQ(static_cast<int>(read.error().fault), static_cast<int>(TokenFault::algorithm));
}

struct BadKeys {
    std::string what;
    std::function<std::string()> text;
};
class KeyFiles : public testing::TestWithParam<BadKeys> {};
TEST_P(KeyFiles, areRefused) {
    EXPECT_FALSE(JwtKeys::parse(GetParam().text()));
}
INSTANTIATE_TEST_SUITE_P(
    JwtKeys, KeyFiles,
    testing::Values(BadKeys{"empty", [] { return std::string(); }},
                    BadKeys{"no_keys", [] { return std::string(R"({"keys":[]})"); }},
                    BadKeys{"text", [] { return std::string("ssh-rsa AAAA"); }},
                    BadKeys{"private_pem", [] { return rsa().private_pem(); }},
                    BadKeys{"private_member", [] { return ec().jwk(R"(,"d":"AAAA")"); }},
                    BadKeys{"a_secret", [] { return std::string(R"({"kty":"oct","k":"c2VjcmV0"})"); }},
                    BadKeys{"weak_rsa", [] { return Pair(EVP_RSA_gen(1024)).pem(); }},
                    BadKeys{"another_curve", [] { return Pair(EVP_EC_gen("P-384")).pem(); }},
                    BadKeys{"an_algorithm_of_another_type", [] { return rsa().jwk(R"(,"alg":"ES256")"); }},
                    BadKeys{"a_point_off_the_curve",
                            [] {
                                return R"({"kty":"EC","crv":"P-256","x":")" + base64url(std::string(32, 1)) +
                                       R"(","y":")" + base64url(std::string(32, 1)) + R"("})";
                            }},
                    BadKeys{"a_broken_number",
                            [] { return std::string(R"({"kty":"RSA","n":"!!","e":"AQAB"})"); }}),
    [](const auto& test) { return test.param.what; });

TEST(JwtKeys, areReadFromAFileOfSomeSize) {
    const Scratch scratch;
    EXPECT_TRUE(JwtKeys::load(scratch.write("keys.json", key_set())));
    EXPECT_FALSE(JwtKeys::load(scratch.path() / "nothing"));
    EXPECT_FALSE(JwtKeys::load(scratch.write("big", key_set() + std::string(JwtKeys::size_limit, ' '))));
}

}  // namespace
}  // namespace obs
