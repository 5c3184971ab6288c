#pragma once

#include "enrich/enrich.h"
#include "enrich/span_reader.h"

namespace obs {

struct Priced {
    UnknownModels unknown;
    std::uint64_t disagreements = 0;
};

// Fills the costs of model calls: by the catalogue of the span's own date, else as the client claimed. A call
// that nobody can price stays without cost, and is counted: a guess, or a zero, would look like a fact.
Priced price_calls(SpanBatch& batch, const CostNotes& notes, const PriceTable& prices);

}  // namespace obs
