#include "catalog/jwt_keys.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <simdjson.h>

namespace obs {
namespace {

constexpr int least_rsa_bits = 2048, most_rsa_bits = 8192;
constexpr std::size_t es256_half = 32;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using PublicKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Bytes = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using Point = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

std::optional<std::string> from_base64url(std::string_view text) {
    std::string bytes;
    unsigned gathered = 0, bits = 0;
    for (const char c : text) {
        const int value = value_of(c);
        if (value < 0) return std::nullopt;
        gathered = (gathered << 6 | static_cast<unsigned>(value)) & 0xffffff;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(gathered >> bits & 0xff);
    }
    return bytes;
}

Number number_of(const std::string& bytes) {
    return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                            static_cast<int>(bytes.size()), nullptr));
}

PublicKey made(const char* type, const Builder& builder) {
    const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) <= 0)
        return nullptr;
    return PublicKey(key);
}

std::string member(const simdjson::dom::object& jwk, std::string_view name) {
    std::string_view text;
    return jwk[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

PublicKey rsa_key(const simdjson::dom::object& jwk) {
    const auto modulus = from_base64url(member(jwk, "n")), exponent = from_base64url(member(jwk, "e"));
    if (!modulus || !exponent) return nullptr;
    const Number n = number_of(*modulus), e = number_of(*exponent);
    const Builder builder(OSSL_PARAM_BLD_new());
    if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 0 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 0)
        return nullptr;
    return made("RSA", builder);
}

PublicKey ec_key(const simdjson::dom::object& jwk) {
    const auto x = from_base64url(member(jwk, "x")), y = from_base64url(member(jwk, "y"));
    if (!x || !y || x->size() != es256_half || y->size() != es256_half) return nullptr;
    const std::string point = "\x04" + *x + *y;
    const Builder builder(OSSL_PARAM_BLD_new());
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 0 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) == 0)
        return nullptr;
    return made("EC", builder);  // checks that the point lies on the curve
}

// RFC 7518 3.4: two numbers of 32 bytes; OpenSSL wants them in DER.
std::string der_of(std::string_view raw) {
    const auto half = [&](std::size_t at) {
        return BN_bin2bn(reinterpret_cast<const unsigned char*>(raw.data() + at), es256_half, nullptr);
    };
    const Point point(ECDSA_SIG_new());
    if (!point || ECDSA_SIG_set0(point.get(), half(0), half(es256_half)) != 1) return {};
    unsigned char* bytes = nullptr;
    const int size = i2d_ECDSA_SIG(point.get(), &bytes);
    if (size <= 0) return {};
    std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
}

}  // namespace

struct JwtKeys::Key {
    Algorithm algorithm;
    std::string kid;
    PublicKey key;

    // Which algorithm a key is for; nothing for types and sizes that we do not use.
    static std::optional<Algorithm> algorithm_of(const EVP_PKEY* key) {
        const int bits = EVP_PKEY_get_bits(key);
        if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && bits >= least_rsa_bits && bits <= most_rsa_bits)
            return Algorithm::rs256;
        char group[64] = "";
        std::size_t size = 0;
        if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
            EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
            std::string_view(group) == "prime256v1")
            return Algorithm::es256;
        return std::nullopt;
    }

    static Result<std::shared_ptr<const Key>> of(PublicKey key, std::string kid, std::string_view stated) {
        const std::optional<Algorithm> algorithm = key ? algorithm_of(key.get()) : std::nullopt;
        if (!algorithm)
            return fail(ErrorKind::invalid_input,
                        "a key is neither RSA of {} to {} bits (RS256) nor P-256 (ES256)", least_rsa_bits,
                        most_rsa_bits);
        if (!stated.empty() && stated != name_of(*algorithm))
            return fail(ErrorKind::invalid_input, "a key is for {} and says {:?}", name_of(*algorithm),
                        stated.substr(0, 20));
        return std::make_shared<const Key>(*algorithm, std::move(kid), std::move(key));
    }

    Key(Algorithm of_key, std::string name, PublicKey public_key)
        : algorithm(of_key), kid(std::move(name)), key(std::move(public_key)) {}

    bool verify(std::string_view content, const std::string& signature) const {
        const DigestContext context(EVP_MD_CTX_new());
        return context &&
               EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
               EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                                signature.size(), reinterpret_cast<const unsigned char*>(content.data()),
                                content.size()) == 1;
    }
};

namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Keys that say they are for something else.
bool is_for_others(const object& jwk) {
    const std::string use = member(jwk, "use"), type = member(jwk, "kty"), algorithm = member(jwk, "alg");
    const bool known_type = type == "RSA" || (type == "EC" && member(jwk, "crv") == "P-256") || type == "oct";
    const bool known_algorithm = algorithm.empty() || algorithm == "RS256" || algorithm == "ES256";
    return (!use.empty() && use != "sig") || !known_type || !known_algorithm;
}

std::vector<object> keys_of(const object& root) {
    simdjson::dom::array keys;
    if (root["keys"].get(keys) != simdjson::SUCCESS) return {root};
    std::vector<object> found;
    for (const element item : keys)
        if (object key; item.get(key) == simdjson::SUCCESS) found.push_back(key);
    return found;
}

}  // namespace

std::string_view name_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::hs256: return "HS256";
        case Algorithm::rs256: return "RS256";
        case Algorithm::es256: return "ES256";
    }
    return "";
}

JwtKeys::JwtKeys() = default;
JwtKeys::JwtKeys(JwtKeys&&) noexcept = default;
JwtKeys& JwtKeys::operator=(JwtKeys&&) noexcept = default;
JwtKeys::~JwtKeys() = default;

Result<JwtKeys> JwtKeys::parse(std::string_view text) {
    JwtKeys keys;
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(text);
    object root;
    if (parser.parse(padded).get(root) == simdjson::SUCCESS) {
        for (const object& jwk : keys_of(root)) {
            if (is_for_others(jwk)) continue;
            // A secret in a file of public keys is a mistake, and would be how a public key signs by HS256.
            if (member(jwk, "kty") == "oct" || jwk["d"].error() != simdjson::NO_SUCH_FIELD)
                return fail(ErrorKind::invalid_input,
                            "there is a secret or a private key among the public keys");
            PublicKey key = member(jwk, "kty") == "RSA" ? rsa_key(jwk) : ec_key(jwk);
            if (!key) return fail(ErrorKind::invalid_input, "a key of the set cannot be read");
            keys.keys_.push_back(OBS_TRY(Key::of(std::move(key), member(jwk, "kid"), member(jwk, "alg"))));
        }
    } else {
        if (text.contains("PRIVATE KEY"))
            return fail(ErrorKind::invalid_input, "there is a secret or a private key among the public keys");
        const Bytes plain(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        while (PublicKey key{PEM_read_bio_PUBKEY(plain.get(), nullptr, nullptr, nullptr)})
            keys.keys_.push_back(OBS_TRY(Key::of(std::move(key), "", "")));
        const Bytes certificates(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        while (const Certificate one{PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)})
            keys.keys_.push_back(OBS_TRY(Key::of(PublicKey(X509_get_pubkey(one.get())), "", "")));
    }
    ERR_clear_error();
    if (keys.keys_.empty() || keys.keys_.size() > most_keys)
        return fail(ErrorKind::invalid_input, "it holds {} keys for RS256 or ES256; 1 to {} are needed",
                    keys.keys_.size(), most_keys);
    return keys;
}

Result<JwtKeys> JwtKeys::load(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorKind::invalid_input, "cannot read {}", file.string());
    std::string text(size_limit + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > size_limit)
        return fail(ErrorKind::invalid_input, "{} is larger than {} bytes", file.string(), size_limit);
    return OBS_TRY(parse(text), "{}", file.string());
}

bool JwtKeys::has(Algorithm algorithm) const {
    return std::ranges::any_of(keys_, [&](const auto& key) { return key->algorithm == algorithm; });
}

bool JwtKeys::verify(Algorithm algorithm, std::string_view kid, std::string_view content,
                     std::string_view signature) const {
    const bool is_point = algorithm == Algorithm::es256;
    if (is_point && signature.size() != 2 * es256_half) return false;
    const std::string bytes = is_point ? der_of(signature) : std::string(signature);
    const bool signed_by_one = std::ranges::any_of(keys_, [&](const auto& key) {
        return key->algorithm == algorithm && (kid.empty() || key->kid.empty() || key->kid == kid) &&
               key->verify(content, bytes);
    });
    ERR_clear_error();  // a refusal leaves its reasons in the thread, where TLS would find them
    return signed_by_one;
}

}  // namespace obs
