// What one model call costs: counts of tokens times the rates of one dated price.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"

namespace obs {

// Counts in the canonical meaning: `input` holds everything that went in (text, audio, images, what was read
// from and written to a cache), `output` everything that came out (reasoning, audio, images). The others are
// parts of these two. Absent is unknown.
struct Usage {
    std::optional<Tokens> input{}, output{};
    // Parts of input. `cached_audio` and `cached_image` are also parts of `cached_input`.
    std::optional<Tokens> cached_input{}, cache_write{}, audio_input{}, image_input{}, cached_audio{},
        cached_image{};
    // Parts of output.
    std::optional<Tokens> reasoning{}, audio_output{}, image_output{};
};

// Rates of one context size. A part without a rate of its own is billed at the rate of what it is a part of:
// cached and audio input as input, cached audio as cached input, reasoning as output. Without `input` (or
// `output`) that direction is free of charge, as for the output of an embedding.
struct Rates {
    std::optional<UsdPerToken> input{}, output{};
    std::optional<UsdPerToken> cached_input{}, cache_write{}, audio_input{}, image_input{}, cached_audio{},
        cached_image{};
    std::optional<UsdPerToken> reasoning{}, audio_output{}, image_output{};
    bool operator==(const Rates&) const = default;
};

struct Price {
    // These rates replace the base rates for the whole request when it has more than `above` input tokens.
    struct Tier {
        Tokens above;
        Rates rates;
        bool operator==(const Tier&) const = default;
    };

    Rates base;
    std::vector<Tier> tiers;               // `above` ascending
    std::optional<UsdPerToken> request{};  // pico-dollars for each request, whatever its size
    // Which rule this is, for example `genai-prices/0.2.3:openai/o3@2025-06-10+batch`: source and version,
    // the provider's and the model's name there, the day since when it is valid, the service it was bought
    // as.
    std::string rule;

    // The rates for a request of this size.
    const Rates& rates_for(Tokens input) const;
};

// input + output == total, always.
struct Cost {
    Usd input, output, total;
    bool operator==(const Cost&) const = default;
};

// Every token is billed once, at the most specific rate: parts are taken out of `input` and `output` before
// the rest is billed, and parts that claim more than the whole are cut to it. An absent whole is the sum of
// its parts. The exact sum is rounded once to nano-dollars (half to even) for `input`, where the fee of a
// request belongs, and once for `total`; `output` is the difference, so that it can be one nano-dollar off
// its own rounding. Nothing when the usage holds no count: unknown usage has no cost, not a cost of zero.
std::optional<Cost> cost_of(const Usage& usage, const Price& price);

// Exact products of tokens and rates, and their sums: 128 bits wide.
struct PicoUsd {
    __extension__ using Wide = __int128;
    Wide count = 0;

    static constexpr PicoUsd of(Usd amount) { return {Wide{amount.nanos} * 1000}; }
    constexpr PicoUsd operator+(PicoUsd more) const { return {count + more.count}; }
    constexpr PicoUsd operator-(PicoUsd less) const { return {count - less.count}; }
    constexpr bool operator==(const PicoUsd&) const = default;
    // Dollars with at most twelve digits after the point, `0.0000025`; a number of JSON.
    std::string dollars() const;
};

// One line of a bill: so many tokens of a part (`input`, `cached_input`, `reasoning`, … or `request`, of
// which there is one) at a rate. What a price gives away for nothing has a rate of zero.
struct BillLine {
    std::string_view part;
    Tokens tokens;
    UsdPerToken rate;

    constexpr PicoUsd amount() const { return {static_cast<PicoUsd::Wide>(tokens.count) * rate.picos}; }
};

// How a cost comes about: the amounts of all lines and what rounding added are exactly cost.total.
struct Bill {
    std::vector<BillLine> lines;
    Cost cost;
    PicoUsd rounding;
};
// Nothing where cost_of has none.
std::optional<Bill> bill_of(const Usage& usage, const Price& price);

}  // namespace obs
