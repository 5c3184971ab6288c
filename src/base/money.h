// Tokens and money. Money is integer nano-dollars; prices are integer pico-dollars a token, so that a product
// is exact and is rounded once (half to even).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace obs {

struct Tokens {
    std::int64_t count = 0;
    auto operator<=>(const Tokens&) const = default;
};
constexpr Tokens operator+(Tokens a, Tokens b) {
    return {a.count + b.count};
}
constexpr Tokens operator-(Tokens a, Tokens b) {
    return {a.count - b.count};
}

struct Usd {
    std::int64_t nanos = 0;
    auto operator<=>(const Usd&) const = default;
};
constexpr Usd operator+(Usd a, Usd b) {
    return {a.nanos + b.nanos};
}

// $2.50 a million tokens = 2'500'000 picos.
struct UsdPerToken {
    std::int64_t picos = 0;
    auto operator<=>(const UsdPerToken&) const = default;
};

// A sum of products in pico-dollars, 128 bits wide: 2^40 tokens at $1 each fit 2^47 times.
class UsdSum {
public:
    constexpr void add(Tokens tokens, UsdPerToken rate) {
        picos_ += static_cast<Wide>(tokens.count) * rate.picos;
    }
    // Half to even; saturates at the ends of Int64 nano-dollars (9.2 billion dollars).
    constexpr Usd rounded() const {
        Wide quotient = picos_ / 1000;
        const Wide rest = picos_ % 1000;
        const Wide twice = (rest < 0 ? -rest : rest) * 2;
        if (twice > 1000 || (twice == 1000 && quotient % 2 != 0)) quotient += picos_ < 0 ? -1 : 1;
        constexpr Wide high = INT64_MAX;
        if (quotient > high) quotient = high;
        if (quotient < -high) quotient = -high;
        return {static_cast<std::int64_t>(quotient)};
    }

private:
    __extension__ using Wide = __int128;
    Wide picos_ = 0;
};

// Dollars of a client to nano-dollars; nothing for NaN, infinities and sums beyond a billion dollars.
std::optional<Usd> usd_from_dollars(double dollars);

}  // namespace obs
