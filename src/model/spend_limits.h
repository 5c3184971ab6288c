// What hard limits of budgets say of spans that come in. Implemented by alert/, asked by ingest/.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/batches.h"
#include "model/intake.h"

namespace obs {

// Rows by number, ascending.
struct OverLimit {
    std::vector<std::size_t> flagged, refused;
    std::string budget{};  // the name of one of them that is over its limit
};

class SpendLimits {
public:
    virtual ~SpendLimits() = default;
    // Thread-safe and quick: it waits for nothing.
    virtual OverLimit over(const Tenant& tenant, const SpanBatch& spans) const = 0;
};

}  // namespace obs
