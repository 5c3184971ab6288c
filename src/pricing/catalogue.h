// The prices that are compiled into the program, as tools/generate_prices.py wrote them, and the shape in
// which prices of every source are kept.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "pricing/model_match.h"
#include "pricing/price.h"

namespace obs {

// A price and when it holds. All conditions must hold; the later of two valid prices wins.
struct DatedPrice {
    std::optional<UnixNanos> since{}, until{};  // `until` exclusive
    // A part of every day, UTC, from 00:00; over midnight when `until` is before `from`.
    struct Hours {
        Nanos from, until;
    };
    std::optional<Hours> hours{};
    std::string service{};  // empty: the standard service
    Price price;

    bool holds(UnixNanos at) const;
};

struct PricedModel {
    std::string name;
    ModelMatch match;
    std::vector<DatedPrice> prices;  // later ones win; empty for a model that is not billed by tokens

    // The price of this service, else the standard one, that holds at this time.
    const Price* at(UnixNanos at, std::string_view service) const;
};

struct PricedProvider {
    std::string name;
    std::vector<std::string> sells_for;  // providers whose models it sells at their price
    std::optional<ModelMatch> match{};   // other names of this provider
    std::optional<ModelMatch> makes{};   // models of its own making, whoever else sells them
    std::vector<PricedModel> models;     // the first that matches wins

    const PricedModel* find(std::string_view model) const;
};

struct Catalogue {
    std::string source;  // `genai-prices/0.2.3`
    std::vector<PricedProvider> providers;

    const PricedProvider* provider(std::string_view name) const;
};

// Lines of tab-separated fields, written and described by tools/generate_prices.py. `corrupt` with the line
// otherwise.
Result<Catalogue> parse_catalogue(std::span<const std::string_view> lines);

// The rates by the names that files and the API give them.
struct NamedRate {
    std::string_view name;
    std::optional<UsdPerToken> Rates::* rate;
};
inline constexpr NamedRate rate_names[] = {
    {"input", &Rates::input},
    {"output", &Rates::output},
    {"cached_input", &Rates::cached_input},
    {"cache_write", &Rates::cache_write},
    {"audio_input", &Rates::audio_input},
    {"audio_output", &Rates::audio_output},
    {"cached_audio", &Rates::cached_audio},
    {"image_input", &Rates::image_input},
    {"image_output", &Rates::image_output},
    {"cached_image", &Rates::cached_image},
    {"reasoning", &Rates::reasoning},
};
// Sets the rate that a name means (`input`, `cached_input`, ...); false for an unknown name.
bool set_rate(Rates& rates, std::string_view name, UsdPerToken rate);

// Generated into the build directory.
extern const std::span<const std::string_view> catalogue_lines;
extern const std::string_view seed_prices_yaml;

}  // namespace obs
