// The prices of the catalog on the board that calls are priced by.
#pragma once

#include <memory>

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/each_second.h"
#include "catalog/prices.h"
#include "pricing/price_board.h"

namespace obs {

// Of several that fit a call the one whose name of a model says most goes first: a name before a pattern, a
// long pattern before a short one, what was set later before what was set earlier; the project's own before
// those of all.
UserPrices in_order(std::vector<SetPrice> prices);

// Thread-safe. A change counts at once after refresh(), and within a second when another process made it.
// While the catalog does not answer, the last prices stay in force.
class KnownPrices {
public:
    // Puts everything on the board. Both outlive this object.
    static Result<std::unique_ptr<KnownPrices>> load(Catalog& catalog, PriceBoard& board);
    ~KnownPrices();

    Result<void> refresh();
    // From a thread of its own, each second, until this object ends.
    void keep_fresh();

private:
    struct State;
    explicit KnownPrices(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
    EachSecond refresher_;  // must be last
};

}  // namespace obs
