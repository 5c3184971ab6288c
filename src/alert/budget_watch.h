// Looks at what budgets have left, on a thread of its own: raises alerts and resolves them, tells listeners
// and webhooks, and keeps the board that intake and polling clients read.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "alert/alert_json.h"
#include "alert/spend_board.h"
#include "alert/spending.h"
#include "base/result.h"
#include "base/time.h"
#include "catalog/budgets.h"
#include "catalog/catalog.h"
#include "model/live_events.h"
#include "query/figures.h"

namespace obs::alert {

class BudgetWatch {
public:
    struct Options {
        // Spend is looked at so often. After a look that took long it waits longer, and never more than 30 s.
        Nanos every = Nanos::seconds(15);
        // Which data this process looks at: what falls again is resolved by whoever saw it rise.
        std::string source{};
        // Nothing is looked at before the store has what was acknowledged before the last stop.
        std::function<bool()> ready = [] { return true; };
        Clock clock = system_now;
    };
    // All outlive it. `events` may be null; `wake_webhooks` is called when there is something to deliver.
    BudgetWatch(Options options, const Catalog& catalog, const query::Figures& figures, SpendBoard& board,
                LiveEvents* events, std::function<void()> wake_webhooks);
    ~BudgetWatch();

    void start();
    void stop();
    // A budget has changed: it is looked at at once. From any thread.
    void look_now();
    // One look at everything. Either the thread calls it, or a test.
    Result<void> look(UnixNanos now, const Cancel& cancel);

    struct Stats {
        std::uint64_t looks = 0, failures = 0, raised = 0, resolved = 0;
        std::uint64_t budgets = 0;     // that are active
        std::uint64_t last_nanos = 0;  // how long the last look took
    };
    Stats stats() const;

private:
    void run(const std::stop_token& stop);
    Result<void> refresh();
    Result<std::vector<WatchedBudget>> read_budgets() const;
    // `open`: alerts that go on.
    Result<void> raise(const BudgetState& state, const std::vector<RaisedAlert>& open, UnixNanos now);
    Result<void> raise_one(const BudgetState& state, std::string_view subject, Usd spent, Severity severity,
                           const std::vector<RaisedAlert>& open, UnixNanos now);
    Result<void> resolve(const RaisedAlert& alert, UnixNanos now);
    bool is_over(const RaisedAlert& alert, const Board& board, UnixNanos now) const;
    void tell(const RaisedAlert& alert, const Budget& budget, AlertNews news, UnixNanos now);

    const Options options_;
    const Catalog& catalog_;
    Budgets budgets_;
    const query::Figures& figures_;
    SpendBoard& board_;
    LiveEvents* const events_;
    const std::function<void()> wake_webhooks_;

    // Of look() alone.
    std::int64_t version_ = -1;  // of the catalog when `watched_` was read
    std::vector<WatchedBudget> watched_;
    UnixNanos forgotten_{};

    mutable std::mutex mutex_;  // of what stands below
    Stats stats_;
    bool asked_ = false;
    std::condition_variable_any changed_;
    std::jthread worker_;  // must be last: it uses everything above
};

}  // namespace obs::alert
