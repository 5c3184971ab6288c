#include "pricing/price_table.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "pricing/catalogue.h"
#include "pricing/model_names.h"
#include "pricing/user_prices.h"

namespace obs {
namespace {

// Longer names are no names; they are unknown without a look.
constexpr std::size_t longest_name = 256;

// Who sells a model: the user's own prices in order, then one seller of the catalogue. When the provider is
// not known there can be several sellers, and they must agree.
struct Sellers {
    std::vector<const PricedModel*> own;
    std::vector<const PricedModel*> catalogue;
};

bool same_price(const Price& a, const Price& b) {
    return a.base == b.base && a.tiers == b.tiers && a.request == b.request;
}

const Price* agreed_price(std::span<const PricedModel* const> sellers, UnixNanos at,
                          std::string_view service) {
    const Price* agreed = nullptr;
    for (const PricedModel* seller : sellers) {
        const Price* price = seller->at(at, service);
        if (price == nullptr) continue;
        if (agreed != nullptr && !same_price(*agreed, *price)) return nullptr;
        if (agreed == nullptr) agreed = price;
    }
    return agreed;
}

const Price* price_of(const Sellers& sellers, UnixNanos at, std::string_view service) {
    for (const PricedModel* own : sellers.own)
        if (const Price* price = own->at(at, service)) return price;
    return agreed_price(sellers.catalogue, at, service);
}

// Answers that a thread gave before. A slot that is needed for another name is overwritten: names come from
// outside, and a table that grows with them would not end.
class Remembered {
public:
    struct Slot {
        std::uint64_t table = 0;
        std::string provider, model;
        Sellers sellers;
    };
    Slot& slot(std::string_view provider, std::string_view model) {
        return slots_[(hash64(model) * 31 + hash64(provider)) % slots_.size()];
    }

private:
    std::vector<Slot> slots_ = std::vector<Slot>(512);
};

std::uint64_t next_table() {
    static std::atomic<std::uint64_t> tables{0};
    return ++tables;
}

// What tables share that differ in the prices on top alone.
struct Base {
    Catalogue catalogue;
    UserPrices older, file;
};

}  // namespace

struct PriceTable::Parts {
    explicit Parts(std::shared_ptr<const Base> shared, UserPrices top = {})
        : base(std::move(shared)), set(std::move(top)) {}

    std::shared_ptr<const Base> base;
    UserPrices set;  // goes before the file
    std::uint64_t table = next_table();

    Sellers sellers_of(std::string_view provider, std::string_view model) const;

private:
    std::vector<const PricedProvider*> providers_named(std::string_view name) const;
    std::vector<std::string> spellings_for(std::string_view provider, std::string_view model) const;
    std::vector<const PricedModel*> offers_of(std::span<const PricedProvider* const> providers,
                                              const std::string& spelling) const;
    std::vector<const PricedModel*> catalogue_offers(std::string_view provider, std::string_view model) const;
    std::vector<const PricedModel*> all_offers(std::string_view model) const;
};

// One provider, or all that have the name as their first word (huggingface sells through others).
std::vector<const PricedProvider*> PriceTable::Parts::providers_named(std::string_view name) const {
    const std::string known = lower_ascii(catalogue_name_of(name));
    if (const PricedProvider* provider = base->catalogue.provider(known)) return {provider};
    std::vector<const PricedProvider*> found;
    for (const PricedProvider& provider : base->catalogue.providers)
        if (provider.name.starts_with(known + "_")) found.push_back(&provider);
    if (!found.empty()) return found;
    for (const PricedProvider& provider : base->catalogue.providers)
        if (provider.match && provider.match->matches(known)) return {&provider};
    return {};
}

// `openai/gpt-4o` asked of openai is also its gpt-4o.
std::vector<std::string> PriceTable::Parts::spellings_for(std::string_view provider,
                                                          std::string_view model) const {
    std::vector<std::string> spellings = spellings_of(model);
    const std::size_t slash = model.find('/');
    if (slash == std::string_view::npos || slash == 0) return spellings;
    const std::vector<const PricedProvider*> asked = providers_named(provider);
    if (!asked.empty() && asked == providers_named(model.substr(0, slash)))
        for (std::string& spelling : spellings_of(model.substr(slash + 1)))
            spellings.push_back(std::move(spelling));
    return spellings;
}

std::vector<const PricedModel*> PriceTable::Parts::offers_of(std::span<const PricedProvider* const> providers,
                                                             const std::string& spelling) const {
    std::vector<const PricedModel*> offers;
    const auto offer = [&](const PricedModel* model) {
        if (model != nullptr && std::ranges::find(offers, model) == offers.end()) offers.push_back(model);
        return model != nullptr;
    };
    for (const PricedProvider* provider : providers) {
        if (offer(provider->find(spelling))) continue;
        for (const std::string& other : provider->sells_for)
            if (const PricedProvider* maker = base->catalogue.provider(other);
                maker && offer(maker->find(spelling)))
                break;
    }
    return offers;
}

// The most faithful spelling that anybody knows decides; for the same spelling the catalogue goes before
// older names.
std::vector<const PricedModel*> PriceTable::Parts::catalogue_offers(std::string_view provider,
                                                                    std::string_view model) const {
    const std::vector<const PricedProvider*> providers = providers_named(provider);
    for (const std::string& spelling : spellings_for(provider, model)) {
        if (auto offers = offers_of(providers, spelling); !offers.empty()) return offers;
        if (auto offers = base->older.find(provider, std::span(&spelling, 1)); !offers.empty())
            return {offers.front()};
    }
    return {};
}

// What every provider asks for the model, its maker first.
std::vector<const PricedModel*> PriceTable::Parts::all_offers(std::string_view model) const {
    std::vector<const PricedModel*> offers;
    const std::string name = lower_ascii(model);
    const auto add = [&](std::string_view provider, std::string_view of) {
        for (const PricedModel* offer : catalogue_offers(provider, of))
            if (std::ranges::find(offers, offer) == offers.end()) offers.push_back(offer);
    };
    if (const std::size_t slash = name.find('/'); slash != std::string::npos && slash != 0)
        add(name.substr(0, slash), name.substr(slash + 1));
    for (const PricedProvider& provider : base->catalogue.providers)
        if (provider.makes && provider.makes->matches(name)) add(provider.name, name);
    for (const PricedProvider& provider : base->catalogue.providers) add(provider.name, name);
    return offers;
}

Sellers PriceTable::Parts::sellers_of(std::string_view provider, std::string_view model) const {
    const std::string spelled = lower_ascii(model);
    const std::string seller = lower_ascii(provider);
    Sellers sellers{set.find(seller, std::span(&spelled, 1)), {}};
    for (const PricedModel* own : base->file.find(seller, std::span(&spelled, 1))) sellers.own.push_back(own);
    sellers.catalogue = provider.empty() ? all_offers(model) : catalogue_offers(provider, model);
    return sellers;
}

PriceTable::PriceTable(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
PriceTable::PriceTable(PriceTable&&) noexcept = default;
PriceTable& PriceTable::operator=(PriceTable&&) noexcept = default;
PriceTable::~PriceTable() = default;

Result<PriceTable> PriceTable::with_user_prices(std::string_view yaml, std::string_view name) {
    auto base = std::make_shared<Base>();
    base->catalogue = OBS_TRY(parse_catalogue(catalogue_lines), "built-in price catalogue");
    base->older = OBS_TRY(UserPrices::parse(seed_prices_yaml, "older-names"));
    if (!yaml.empty()) base->file = OBS_TRY(UserPrices::parse(yaml, name));
    return PriceTable(std::make_unique<Parts>(std::move(base)));
}

PriceTable PriceTable::under(UserPrices set) const {
    return PriceTable(std::make_unique<Parts>(parts_->base, std::move(set)));
}

Result<PriceTable> PriceTable::load(const std::optional<std::filesystem::path>& user_prices) {
    if (!user_prices) return with_user_prices({}, {});
    std::ifstream file(*user_prices, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
        return fail(ErrorKind::invalid_input, "cannot read the prices in {}", user_prices->string());
    return with_user_prices(text.str(), user_prices->filename().string());
}

const Price* PriceTable::find(std::string_view provider, std::string_view model, UnixNanos at,
                              std::string_view service) const {
    if (model.empty() || model.size() > longest_name || provider.size() > longest_name) return nullptr;
    thread_local Remembered remembered;
    Remembered::Slot& slot = remembered.slot(provider, model);
    if (slot.table != parts_->table || slot.model != model || slot.provider != provider) [[unlikely]]
        slot = {parts_->table, std::string(provider), std::string(model),
                parts_->sellers_of(provider, model)};
    return price_of(slot.sellers, at, service);
}

std::vector<const Price*> PriceTable::with_rule(std::string_view rule) const {
    std::vector<const Price*> found;
    const auto look_at = [&](const PricedModel& model) {
        for (const DatedPrice& dated : model.prices)
            if (dated.price.rule == rule) found.push_back(&dated.price);
    };
    for (const UserModel& user : parts_->set.models()) look_at(user.model);
    for (const UserModel& user : parts_->base->file.models()) look_at(user.model);
    for (const PricedProvider& provider : parts_->base->catalogue.providers)
        std::ranges::for_each(provider.models, look_at);
    for (const UserModel& user : parts_->base->older.models()) look_at(user.model);
    return found;
}

std::size_t PriceTable::models() const {
    std::size_t models = parts_->base->older.size() + parts_->base->file.size() + parts_->set.size();
    for (const PricedProvider& provider : parts_->base->catalogue.providers)
        models += static_cast<std::size_t>(std::ranges::count_if(
            provider.models, [](const PricedModel& model) { return !model.prices.empty(); }));
    return models;
}

std::string_view PriceTable::catalogue() const {
    return parts_->base->catalogue.source;
}

}  // namespace obs
