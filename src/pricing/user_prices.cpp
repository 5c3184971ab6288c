#include "pricing/user_prices.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <yaml-cpp/yaml.h>

namespace obs {
namespace {

std::unexpected<Error> refuse(const YAML::Node& node, std::string_view why) {
    return fail(ErrorKind::invalid_input, "line {}: {}", node.Mark().line + 1, why);
}

Result<std::string> text_of(const YAML::Node& node, std::string_view what) {
    if (!node.IsScalar() || node.Scalar().empty())
        return refuse(node, fmt::format("{} must be a text", what));
    return node.Scalar();
}

// Exact: a decimal of up to `places` places becomes an integer of that many more digits. Small numbers may be
// written as `5e-05`.
std::optional<std::int64_t> scaled(std::string_view text, std::size_t places) {
    std::string shifted;
    if (const std::size_t e = text.find("e-"); e != std::string_view::npos) {
        std::size_t zeros = 0;
        const auto [end, fault] = std::from_chars(text.data() + e + 2, text.data() + text.size(), zeros);
        const std::size_t point = std::min(text.find('.'), e);
        if (fault != std::errc{} || end != text.data() + text.size() || point != 1 || zeros < 1 || zeros > 12)
            return std::nullopt;
        shifted = "0." + std::string(zeros - 1, '0') + text[0];
        shifted += text.substr(std::min(point + 1, e), e - std::min(point + 1, e));
        text = shifted;
    }
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string digits(text.substr(0, point));
    const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
    if (digits.empty() || digits.size() > 6 || fraction.size() > places) return std::nullopt;
    digits.append(fraction).append(places - fraction.size(), '0');
    if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

// A dollar for a million tokens is 10^6 pico-dollars a token, a dollar for one request is 10^12.
Result<UsdPerToken> rate_of(const YAML::Node& node, std::string_view name) {
    const std::size_t places = name == "request" ? 12 : 6;
    const std::optional<std::int64_t> picos = node.IsScalar() ? scaled(node.Scalar(), places) : std::nullopt;
    if (!picos)
        return refuse(
            node, fmt::format("{} must be a number of USD from 0 to 999999 with at most {} decimals", name,
                              places));
    return UsdPerToken{*picos};
}

Result<Price::Tier> tier_of(const YAML::Node& node) {
    if (!node.IsMap()) return refuse(node, "a tier must be a mapping");
    Price::Tier tier{{-1}, {}};
    for (const auto& field : node) {
        const YAML::Node &key = field.first, &value = field.second;
        const std::string name = OBS_TRY(text_of(key, "a key"));
        if (name == "above") {
            const std::optional<std::int64_t> above =
                value.IsScalar() ? scaled(value.Scalar(), 0) : std::nullopt;
            if (!above) return refuse(value, "above must be a number of tokens");
            tier.above = {*above};
        } else if (!set_rate(tier.rates, name, OBS_TRY(rate_of(value, name)))) {
            return refuse(key, fmt::format("{} is not a rate", name));
        }
    }
    if (tier.above.count < 0)
        return refuse(node, "a tier needs above: the tokens of input beyond which it holds");
    return tier;
}

Result<std::vector<Price::Tier>> tiers_of(const YAML::Node& node) {
    if (!node.IsSequence()) return refuse(node, "tiers must be a list");
    std::vector<Price::Tier> tiers;
    for (const YAML::Node& item : node) {
        tiers.push_back(OBS_TRY(tier_of(item)));
        if (tiers.size() > 1 && tiers[tiers.size() - 2].above >= tiers.back().above)
            return refuse(item, "tiers must ascend");
    }
    return tiers;
}

// One entry of the list, before it is put beside the others of its model.
struct Entry {
    std::string provider = "*", model, valid_from;
    DatedPrice dated;
    bool has_rate = false;
};

Result<void> set_field(Entry& entry, const std::string& name, const YAML::Node& key,
                       const YAML::Node& value) {
    if (name == "provider") {
        entry.provider = OBS_TRY(text_of(value, name));
    } else if (name == "model") {
        entry.model = OBS_TRY(text_of(value, name));
    } else if (name == "service") {
        entry.dated.service = OBS_TRY(text_of(value, name));
    } else if (name == "valid_from") {
        entry.valid_from = OBS_TRY(text_of(value, name));
        entry.dated.since = parse_rfc3339(entry.valid_from);
        if (!entry.dated.since) return refuse(value, "valid_from must be a day such as 2025-01-31");
    } else if (name == "valid_until") {
        entry.dated.until = parse_rfc3339(OBS_TRY(text_of(value, name)));
        if (!entry.dated.until) return refuse(value, "valid_until must be a day such as 2025-01-31");
    } else if (name == "tiers") {
        entry.dated.price.tiers = OBS_TRY(tiers_of(value));
    } else if (name == "request") {
        entry.dated.price.request = OBS_TRY(rate_of(value, name));
        entry.has_rate = true;
    } else {
        Rates probe;
        if (!set_rate(probe, name, {})) return refuse(key, fmt::format("{} is not a field of a price", name));
        set_rate(entry.dated.price.base, name, OBS_TRY(rate_of(value, name)));
        entry.has_rate = true;
    }
    return {};
}

Result<Entry> entry_of(const YAML::Node& node) {
    if (!node.IsMap()) return refuse(node, "a price must be a mapping");
    Entry entry;
    std::vector<std::string> seen;
    for (const auto& field : node) {
        const YAML::Node &key = field.first, &value = field.second;
        const std::string name = OBS_TRY(text_of(key, "a key"));
        if (std::ranges::find(seen, name) != seen.end())
            return refuse(key, fmt::format("{} stands twice", name));
        seen.push_back(name);
        OBS_TRY_VOID(set_field(entry, name, key, value));
    }
    if (entry.model.empty()) return refuse(node, "a price needs a model");
    if (entry.dated.since && entry.dated.until && *entry.dated.until <= *entry.dated.since)
        return refuse(node, "valid_until must be later than valid_from");
    if (!entry.has_rate) return refuse(node, "a price needs at least one rate, for example input: 2.50");
    return entry;
}

// Beside the others of its model, in the order of time.
void add(std::vector<UserModel>& models, const std::string& provider, const std::string& model,
         DatedPrice dated) {
    auto same = std::ranges::find_if(models, [&](const UserModel& other) {
        return other.provider_pattern == provider && other.model.name == model;
    });
    if (same == models.end())
        same = models.insert(models.end(),
                             {provider, ModelMatch::glob(provider), {model, ModelMatch::glob(model), {}}});
    std::vector<DatedPrice>& prices = same->model.prices;
    const auto later = std::ranges::find_if(prices, [&](const DatedPrice& other) {
        return other.since.value_or(UnixNanos{INT64_MIN}) > dated.since.value_or(UnixNanos{INT64_MIN});
    });
    prices.insert(later, std::move(dated));
}

void add(std::vector<UserModel>& models, Entry entry, std::string_view source) {
    std::string& rule = entry.dated.price.rule;
    rule = fmt::format("{}:{}/{}", source, entry.provider, entry.model);
    if (!entry.valid_from.empty()) rule += "@" + entry.valid_from;
    if (!entry.dated.service.empty()) rule += "+" + entry.dated.service;
    add(models, entry.provider, entry.model, std::move(entry.dated));
}

}  // namespace

Result<UserPrices> UserPrices::parse(std::string_view yaml, std::string_view name) {
    try {
        const YAML::Node root = YAML::Load(std::string(yaml));
        if (!root.IsMap() || root.size() != 1 || !root["prices"] || !root["prices"].IsSequence())
            return fail(ErrorKind::invalid_input, "{}: line 1: the file must hold one list called prices",
                        name);
        UserPrices prices;
        for (const YAML::Node& node : root["prices"])
            add(prices.models_, OBS_TRY(entry_of(node), "{}", name), name);
        return prices;
    } catch (const YAML::Exception& error) {
        return fail(ErrorKind::invalid_input, "{}: line {}: {}", name, error.mark.line + 1, error.msg);
    }
}

void UserPrices::append(const UserPrices& more) {
    models_.insert(models_.end(), more.models_.begin(), more.models_.end());
}

void UserPrices::join(const UserPrices& more) {
    for (const UserModel& user : more.models_)
        for (const DatedPrice& dated : user.model.prices)
            add(models_, user.provider_pattern, user.model.name, dated);
}

std::vector<const PricedModel*> UserPrices::find(std::string_view provider,
                                                 std::span<const std::string> spellings) const {
    std::vector<const PricedModel*> found;
    for (const UserModel& user : models_) {
        const auto fits = [&](const std::string& spelling) { return user.model.match.matches(spelling); };
        if (user.provider.matches(provider) && std::ranges::any_of(spellings, fits))
            found.push_back(&user.model);
    }
    return found;
}

}  // namespace obs
