// A trace from the inside: its shape without payloads, payloads by span, and what it costs and why.
#pragma once

#include <vector>

#include "query/ledger.h"
#include "query/live_data.h"
#include "serve/router.h"
#include "store/span_store.h"

namespace obs::serve {

// `store` and `live` outlive the routes.
std::vector<Route> span_routes(SpanStore& store, const query::LiveData& live, query::PricesOfRule prices);

}  // namespace obs::serve
