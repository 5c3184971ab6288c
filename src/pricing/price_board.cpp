#include "pricing/price_board.h"

namespace obs {

PriceBoard::PriceBoard(PriceTable base)
    : base_(std::make_shared<const PriceTable>(std::move(base))), ever_(base_) {}

PriceBoard::Table PriceBoard::prices_of(std::string_view org, std::string_view project) const {
    const std::shared_lock lock(mutex_);
    if (set_.empty()) return base_;
    for (const std::string_view of : {project, std::string_view()})
        if (const auto found = set_.find(std::pair(std::string(org), std::string(of))); found != set_.end())
            return found->second;
    return base_;
}

void PriceBoard::set(std::vector<Set> prices, UserPrices ever) {
    std::map<std::pair<std::string, std::string>, Table, std::less<>> tables;
    for (Set& each : prices)
        tables.insert_or_assign({std::move(each.org), std::move(each.project)},
                                std::make_shared<const PriceTable>(base_->under(std::move(each.prices))));
    const Table all = std::make_shared<const PriceTable>(base_->under(std::move(ever)));
    const std::unique_lock lock(mutex_);
    set_ = std::move(tables);
    ever_ = all;
}

std::vector<Price> PriceBoard::with_rule(std::string_view rule) const {
    Table ever;
    {
        const std::shared_lock lock(mutex_);
        ever = ever_;
    }
    std::vector<Price> found;
    for (const Price* price : ever->with_rule(rule)) found.push_back(*price);
    return found;
}

}  // namespace obs
