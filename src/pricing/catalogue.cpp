#include "pricing/catalogue.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

namespace obs {
namespace {

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    for (std::size_t from = 0;;) {
        const std::size_t to = text.find(by, from);
        parts.push_back(text.substr(from, to - from));
        if (to == std::string_view::npos) return parts;
        from = to + 1;
    }
}

Result<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0)
        return fail(ErrorKind::corrupt, "'{}' is no count", text);
    return value;
}

// `input=2500000 output=10000000`, in pico-dollars; `request=` belongs to the price.
Result<void> parse_rates(std::string_view text, Rates& rates, Price& price) {
    for (std::string_view pair : split(text, ' ')) {
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const std::string_view name = pair.substr(0, equals);
        const UsdPerToken rate{OBS_TRY(whole_number(pair.substr(std::min(equals + 1, pair.size()))))};
        if (name == "request") {
            price.request = rate;
        } else if (!set_rate(rates, name, rate)) {
            return fail(ErrorKind::corrupt, "'{}' is no rate", name);
        }
    }
    return {};
}

// `00:30-16:30`
Result<DatedPrice::Hours> parse_hours(std::string_view text) {
    if (text.size() != 11 || text[2] != ':' || text[5] != '-' || text[8] != ':')
        return fail(ErrorKind::corrupt, "'{}' is no part of a day", text);
    const auto minutes = [&](std::size_t at) -> Result<Nanos> {
        const std::int64_t hour = OBS_TRY(whole_number(text.substr(at, 2)));
        return Nanos::seconds((hour * 60 + OBS_TRY(whole_number(text.substr(at + 3, 2)))) * 60);
    };
    return DatedPrice::Hours{OBS_TRY(minutes(0)), OBS_TRY(minutes(6))};
}

std::string rule_of(std::string_view source, std::string_view provider, std::string_view model,
                    std::span<const std::string_view> conditions) {
    std::string rule = fmt::format("{}:{}/{}", source, provider, model);
    for (std::size_t i = 0; i < 2; ++i)
        if (!conditions[i].empty()) rule += fmt::format("@{}", conditions[i]);
    if (!conditions[2].empty()) rule += fmt::format("+{}", conditions[2]);
    return rule;
}

class Reader {
public:
    Result<Catalogue> read(std::span<const std::string_view> lines) {
        for (std::size_t i = 0; i < lines.size(); ++i) OBS_TRY_VOID(line(lines[i]), "line {}", i + 1);
        return std::move(catalogue_);
    }

private:
    Result<void> line(std::string_view text) {
        const std::vector<std::string_view> fields = split(text, '\t');
        const std::span rest = std::span(fields).subspan(1);
        if (fields[0] == "source" && rest.size() == 1) return source(rest);
        if (fields[0] == "provider" && rest.size() >= 2) return provider(rest);
        if (fields[0] == "maker" && !catalogue_.providers.empty()) return maker(rest);
        if (fields[0] == "model" && rest.size() >= 2 && !catalogue_.providers.empty()) return model(rest);
        if (fields[0] == "price" && rest.size() >= 4 && !catalogue_.providers.empty() &&
            !catalogue_.providers.back().models.empty())
            return price(rest);
        return fail(ErrorKind::corrupt, "'{}' with {} fields is not expected here", fields[0], rest.size());
    }

    // source <package/version>
    Result<void> source(std::span<const std::string_view> fields) {
        catalogue_.source = fields[0];
        return {};
    }

    // provider <name> <sells for, by comma> [<match> ...]
    Result<void> provider(std::span<const std::string_view> fields) {
        PricedProvider& provider = catalogue_.providers.emplace_back();
        provider.name = fields[0];
        if (!fields[1].empty())
            for (std::string_view other : split(fields[1], ',')) provider.sells_for.emplace_back(other);
        if (fields.size() > 2) provider.match = OBS_TRY(ModelMatch::parse(fields.subspan(2)));
        return {};
    }

    // maker <match> ...
    Result<void> maker(std::span<const std::string_view> fields) {
        catalogue_.providers.back().makes = OBS_TRY(ModelMatch::parse(fields));
        return {};
    }

    // model <name> <match> ...
    Result<void> model(std::span<const std::string_view> fields) {
        ModelMatch match = OBS_TRY(ModelMatch::parse(fields.subspan(1)));
        catalogue_.providers.back().models.push_back({std::string(fields[0]), std::move(match), {}});
        return {};
    }

    // price <since> <hours> <service> <rates> [<above>:<rates> ...]
    Result<void> price(std::span<const std::string_view> fields) {
        PricedProvider& provider = catalogue_.providers.back();
        DatedPrice dated;
        if (!fields[0].empty()) {
            dated.since = parse_rfc3339(fields[0]);
            if (!dated.since) return fail(ErrorKind::corrupt, "'{}' is no day", fields[0]);
        }
        if (!fields[1].empty()) dated.hours = OBS_TRY(parse_hours(fields[1]));
        dated.service = fields[2];
        dated.price.rule = rule_of(catalogue_.source, provider.name, provider.models.back().name, fields);
        OBS_TRY_VOID(parse_rates(fields[3], dated.price.base, dated.price));
        for (std::string_view field : fields.subspan(4)) OBS_TRY_VOID(tier(field, dated.price));
        provider.models.back().prices.push_back(std::move(dated));
        return {};
    }

    Result<void> tier(std::string_view field, Price& price) {
        const std::size_t colon = std::min(field.find(':'), field.size());
        Price::Tier tier{{OBS_TRY(whole_number(field.substr(0, colon)))}, {}};
        if (!price.tiers.empty() && price.tiers.back().above >= tier.above)
            return fail(ErrorKind::corrupt, "tiers must ascend");
        OBS_TRY_VOID(parse_rates(field.substr(std::min(colon + 1, field.size())), tier.rates, price));
        price.tiers.push_back(std::move(tier));
        return {};
    }

    Catalogue catalogue_;
};

}  // namespace

bool set_rate(Rates& rates, std::string_view name, UsdPerToken rate) {
    const auto* found = std::ranges::find(rate_names, name, &NamedRate::name);
    if (found == std::end(rate_names)) return false;
    rates.*found->rate = rate;
    return true;
}

bool DatedPrice::holds(UnixNanos at) const {
    if ((since && at < *since) || (until && at >= *until)) return false;
    if (!hours) return true;
    constexpr std::int64_t day = Nanos::days(1).count;
    const Nanos time{((at.since_epoch % day) + day) % day};
    if (hours->until < hours->from) return time >= hours->from || time < hours->until;
    return time >= hours->from && time < hours->until;
}

const Price* PricedModel::at(UnixNanos at, std::string_view service) const {
    const Price* standard = nullptr;
    for (auto dated = prices.rbegin(); dated != prices.rend(); ++dated) {
        const bool wanted = dated->service == service;
        if (!wanted && (standard != nullptr || !dated->service.empty())) continue;
        if (!dated->holds(at)) continue;
        if (wanted) return &dated->price;
        standard = &dated->price;
    }
    return standard;
}

const PricedModel* PricedProvider::find(std::string_view model) const {
    const auto found =
        std::ranges::find_if(models, [&](const PricedModel& m) { return m.match.matches(model); });
    return found == models.end() ? nullptr : &*found;
}

const PricedProvider* Catalogue::provider(std::string_view name) const {
    const auto found = std::ranges::find(providers, name, &PricedProvider::name);
    return found == providers.end() ? nullptr : &*found;
}

Result<Catalogue> parse_catalogue(std::span<const std::string_view> lines) {
    return Reader().read(lines);
}

}  // namespace obs
