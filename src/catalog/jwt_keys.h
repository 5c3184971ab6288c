// Public keys of others who issue tokens for us, an identity provider for example. Each key checks signatures
// by exactly one algorithm, which follows from the key and never from a token.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace obs {

enum class Algorithm : std::uint8_t { hs256, rs256, es256 };
std::string_view name_of(Algorithm algorithm);

// Immutable, thread-safe.
class JwtKeys {
public:
    static constexpr std::size_t size_limit = 256 << 10, most_keys = 32;

    // None.
    JwtKeys();
    // A JSON Web Key Set, one JSON Web Key, or PEM with public keys or certificates: RSA of 2,048 bits or
    // more (RS256) and P-256 (ES256). Keys of a set for other uses or algorithms are left out. Fails with
    // `invalid_input` when nothing is left, when a private key is among them, or when a key says an algorithm
    // that its type is not for.
    static Result<JwtKeys> parse(std::string_view text);
    static Result<JwtKeys> load(const std::filesystem::path& file);

    JwtKeys(JwtKeys&&) noexcept;
    JwtKeys& operator=(JwtKeys&&) noexcept;
    JwtKeys(const JwtKeys&) = default;
    JwtKeys& operator=(const JwtKeys&) = default;
    ~JwtKeys();

    bool has(Algorithm algorithm) const;
    // Whether a key of this algorithm signed `content`; with `kid`, only one that goes by that name or by
    // none. `signature` is raw, as a token carries it (RFC 7518).
    bool verify(Algorithm algorithm, std::string_view kid, std::string_view content,
                std::string_view signature) const;

private:
    struct Key;
    std::vector<std::shared_ptr<const Key>> keys_;
};

}  // namespace obs
