#include "catalog/known_prices.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "base/log.h"

namespace obs {

namespace {

bool is_pattern(const SetPrice& price) {
    return price.model.find('*') != std::string::npos;
}

// Entries were understood when they were set; a program that is older than one of them goes on without it.
UserPrices parsed(const SetPrice& price) {
    auto prices = UserPrices::parse(fmt::format("{{\"prices\":[{}]}}", price.entry), price.source());
    if (prices) return *std::move(prices);
    log::warning("price {} is not understood and does not hold: {}", price.source(), prices.error().message);
    return {};
}

void put_on(PriceBoard& board, const std::vector<SetPrice>& all) {
    using Key = std::pair<std::string, std::string>;
    std::map<Key, std::vector<SetPrice>> holding;
    for (const SetPrice& price : all)
        if (!price.retired) holding[{price.org, price.project}].push_back(price);
    std::vector<PriceBoard::Set> sets;
    for (const auto& [key, prices] : holding) {
        PriceBoard::Set set{key.first, key.second, in_order(prices)};
        if (const auto of_all = holding.find({key.first, ""}); !key.second.empty() && of_all != holding.end())
            set.prices.append(in_order(of_all->second));
        sets.push_back(std::move(set));
    }
    board.set(std::move(sets), in_order(all));
}

}  // namespace

UserPrices in_order(std::vector<SetPrice> prices) {
    std::ranges::sort(prices, {}, [](const SetPrice& price) {
        return std::tuple(is_pattern(price), -static_cast<std::int64_t>(price.model.size()),
                          -static_cast<std::int64_t>(price.provider.size()), -price.revision);
    });
    UserPrices ordered;
    for (const SetPrice& price : prices) ordered.join(parsed(price));
    return ordered;
}

struct KnownPrices::State {
    State(Catalog& of, PriceBoard& to) : catalog(of), prices(of), board(to) {}

    Catalog& catalog;
    const Prices prices;
    PriceBoard& board;

    std::mutex refreshing;
    std::int64_t version = -1;    // of the catalog when they were read; under `refreshing`
    std::vector<SetPrice> known;  // under `refreshing`
};

KnownPrices::KnownPrices(std::unique_ptr<State> state) : state_(std::move(state)) {}
KnownPrices::~KnownPrices() = default;

Result<std::unique_ptr<KnownPrices>> KnownPrices::load(Catalog& catalog, PriceBoard& board) {
    std::unique_ptr<KnownPrices> known(new KnownPrices(std::make_unique<State>(catalog, board)));
    OBS_TRY_VOID(known->refresh());
    return known;
}

Result<void> KnownPrices::refresh() {
    const std::lock_guard one_at_a_time(state_->refreshing);
    // Asked before they are read: a change in between is then seen by the next refresh.
    const std::int64_t version = OBS_TRY(state_->catalog.version());
    if (version == state_->version) return {};
    std::vector<SetPrice> prices = OBS_TRY(state_->prices.all());
    // Other changes of the catalog are no reason to make tables that nobody has asked yet.
    if (prices != state_->known) put_on(state_->board, prices);
    state_->known = std::move(prices);
    state_->version = version;
    return {};
}

void KnownPrices::keep_fresh() {
    refresher_.start("prices", [this](int) { return refresh(); });
}

}  // namespace obs
