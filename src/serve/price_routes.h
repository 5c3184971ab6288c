// Prices that are set over the API, and their application to history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "catalog/jobs.h"
#include "catalog/known_prices.h"
#include "jobs/lane.h"
#include "jobs/reprice.h"
#include "serve/router.h"

namespace obs::serve {

// All outlive the routes.
struct PriceParts {
    Catalog& catalog;
    KnownPrices& known;
    const PriceBoard& board;
    Jobs& jobs;
    jobs::Lane& lane;
    std::function<std::uint64_t()> visible_seq;  // LiveData::visible_seq
    std::size_t most_open = 3;                   // jobs of an organisation that are not over
};

// Set, listed, looked up, taken back.
std::vector<Route> price_routes(const PriceParts& parts);
// What applying them to stored calls would change, and the jobs that do it. `store` outlives the routes.
std::vector<Route> reprice_routes(const PriceParts& parts, SpanStore& store);

// What such a job was asked for: the same each time.
Result<jobs::RepriceAsked> reprice_asked_of(const Job& job);

}  // namespace obs::serve
