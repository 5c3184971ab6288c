// What else belongs to an answer about costs: alerts of budgets, and costs out of the ordinary.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/question.h"

namespace obs::query {

struct BudgetAlert {
    std::string id, budget_id;
    std::string severity;  // info warning critical
    Usd current, threshold;
    double percentage_used = 0;
    std::string message;
    UnixNanos triggered_at;
    std::optional<UnixNanos> resolved_at{};
};

struct CostAnomaly {
    UnixNanos at;
    std::string dimension, value;  // `model`, `gpt-4o`
    Usd cost, expected;
    double deviation = 0;  // in deviations of the baseline
    std::string severity;  // low medium high critical
};

// Thread-safe and quick.
class CostSignals {
public:
    virtual ~CostSignals() = default;
    // Of budgets that the scope may see: triggered in the window, or not resolved.
    virtual std::vector<BudgetAlert> budget_alerts(const Scope& scope, UnixNanos from,
                                                   UnixNanos to) const = 0;
    virtual std::vector<CostAnomaly> anomalies(const Scope& scope, UnixNanos from, UnixNanos to) const = 0;
};

}  // namespace obs::query
