// The prices that hold now, for each organisation and project: what is set while the program runs, over a
// table that stays.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pricing/price_table.h"
#include "pricing/user_prices.h"

namespace obs {

// Thread-safe. Whoever took a table goes on with it while others are put in its place.
class PriceBoard {
public:
    using Table = std::shared_ptr<const PriceTable>;

    explicit PriceBoard(PriceTable base);

    // Never null.
    Table prices_of(std::string_view org, std::string_view project) const;
    // Whatever was set before holds no more. For a project its own prices, then those of its organisation.
    struct Set {
        std::string org, project;  // no project: all that have none of their own
        UserPrices prices;         // all of them that hold there
    };
    // `ever`: every price that was set at any time, so that old costs can be explained.
    void set(std::vector<Set> prices, UserPrices ever);

    // PriceTable::with_rule over everything that was ever set.
    std::vector<Price> with_rule(std::string_view rule) const;
    // Without what was set.
    const PriceTable& base() const { return *base_; }

private:
    const Table base_;
    mutable std::shared_mutex mutex_;
    std::map<std::pair<std::string, std::string>, Table, std::less<>> set_;  // by organisation and project
    Table ever_;
};

}  // namespace obs
