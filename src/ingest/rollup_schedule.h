// Which minutes, hours and days are to be rolled up, and when (decision 13).
//
// A bucket waits from the first change of its rows until it is settled: closed for so long that few spans of
// it are still to come. What comes later all the same makes it wait again, a while, so that many late spans
// cost one computation. Hours wait for their minutes, days for their hours.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "store/rollup.h"

namespace obs {

// Any thread may say what changed; one takes the work.
class RollupSchedule {
public:
    struct Options {
        Nanos settle_after = Nanos::seconds(45);  // from the end of a bucket
        // Buckets that ended earlier are let go; 0 keeps for ever (decision 30).
        Nanos keep_minutes{}, keep_hours_and_days{};
        Clock clock = system_now;
    };
    explicit RollupSchedule(Options options) : options_(std::move(options)) {}

    // Spans that began then were stored, changed or erased. To be said after it was done, and before the
    // sequence of the rows becomes visible.
    void changed(std::span<const UnixNanos> starts);
    // What the store found to be stale; due at once if settled.
    void stale(std::span<const RollupBucket> buckets);

    // The next piece of work, of one level and within one day: newer buckets first, then older ones from the
    // oldest. It waits no more; nothing when nothing is due.
    std::optional<RollUp> next();
    void done(const RollUp& work, std::chrono::nanoseconds took);
    void failed(const RollUp& work);

    std::size_t waiting(RollupLevel level) const;
    // Starts of the buckets in [from, to) that wait or are being computed, ascending: until then their
    // figures are not those of the rows.
    std::vector<UnixNanos> outdated(RollupLevel level, UnixNanos from, UnixNanos to) const;

private:
    using Waiting =
        std::map<UnixNanos, UnixNanos>;  // start of the bucket -> first change since it was computed

    Waiting& of(RollupLevel level) { return waiting_[static_cast<std::size_t>(level)]; }
    void wait(RollupBucket bucket, UnixNanos since);
    void over(const RollUp& work);
    void let_go(UnixNanos now);
    std::optional<RollUp> next_of(RollupLevel level, UnixNanos now);
    bool due(RollupLevel level, const Waiting::value_type& bucket, UnixNanos now);
    bool from_finer(RollupBucket bucket, UnixNanos now) const;
    bool finer_wait(RollupBucket bucket);
    Nanos patience(RollupLevel level) const;

    const Options options_;
    mutable std::mutex mutex_;
    Waiting waiting_[3];
    std::vector<RollupBucket> in_work_;
    Nanos cost_[3] = {};  // of a bucket when it was last computed
};

}  // namespace obs
