// What is spent of each budget, as far as it was found out last: read by intake and by clients that poll, so
// it is in memory.
#pragma once

#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "alert/budget_period.h"
#include "base/money.h"
#include "base/time.h"
#include "catalog/budgets.h"
#include "model/spend_limits.h"

namespace obs::alert {

// One budget at one moment.
struct BudgetState {
    Budget budget;
    Period period;
    UnixNanos evaluated;
    Usd spent;  // of budgets for each value: by the one that spent most
    // Who spent what, most first, of budgets for each value: at least those above a threshold or limit.
    std::vector<std::pair<std::string, Usd>> subjects{};

    bool over_limit(Usd amount) const { return budget.hard_limit && amount >= *budget.hard_limit; }
};

// Immutable.
class Board {
public:
    explicit Board(std::vector<BudgetState> states = {});
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    const std::vector<BudgetState>& states() const { return states_; }
    const BudgetState* find(std::string_view budget_id) const;
    OverLimit over(const Tenant& tenant, const SpanBatch& spans) const;

private:
    // Values that are over the limit of a budget.
    struct Over {
        const BudgetState* by;
        std::set<std::string, std::less<>> values;
        bool meets(const Tenant& tenant, const SpanBatch& spans, std::size_t row) const;
    };
    std::vector<BudgetState> states_;  // never changes: `over_` points into it
    std::vector<Over> over_;
};

// Thread-safe.
class SpendBoard final : public SpendLimits {
public:
    std::shared_ptr<const Board> now() const;
    void set(std::shared_ptr<const Board> board);

    OverLimit over(const Tenant& tenant, const SpanBatch& spans) const override {
        return now()->over(tenant, spans);
    }

private:
    mutable std::shared_mutex mutex_;  // of the pointer alone
    std::shared_ptr<const Board> board_ = std::make_shared<const Board>();
};

}  // namespace obs::alert
