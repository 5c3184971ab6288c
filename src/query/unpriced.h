// Models that were used and that nobody knew a price for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "store/span_store.h"

namespace obs::query {

struct UnpricedModel {
    std::string project, provider, model;
    std::int64_t calls = 0;           // with tokens and without a price of the server
    UnixNanos first_seen, last_seen;  // starts of the calls
    std::optional<Tokens> tokens{};
    std::optional<Usd> client_cost{};  // what clients claim that they cost
};

// Of the window, the most used ones first, at most `most`.
Result<std::vector<UnpricedModel>> unpriced_models(SpanStore& store, const Scope& scope, Window window,
                                                   std::size_t most, const Cancel& cancel);

}  // namespace obs::query
