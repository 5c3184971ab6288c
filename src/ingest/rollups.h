// Keeps the store's rollups right, on a thread of its own: writes never wait for them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "ingest/rollup_schedule.h"
#include "journal/journal.h"
#include "store/span_store.h"

namespace obs {

class Rollups {
public:
    struct Options {
        Nanos keep_minutes{}, keep_hours_and_days{};  // 0 keeps for ever
        std::chrono::milliseconds look_every{1'000};
        // What is too old is dropped so often, and the store is asked what is stale: at the start, after a
        // failure, and for what was erased.
        std::chrono::milliseconds check_every{3'600'000};
        Clock clock = system_now;
    };
    // `visible`: every row up to this sequence is stored (StoreWriter::visible). All outlive this.
    Rollups(Options options, SpanStore& store, RollupSchedule& schedule, std::function<Sequence()> visible);
    ~Rollups();

    // Ends what is being computed; the next start does it again.
    void stop();

    // The store has said what is stale: from then on the schedule knows all that is not right.
    bool checked() const { return checked_; }

    struct Stats {
        std::uint64_t computed = 0, failures = 0;  // buckets, tries
        std::uint64_t busy_nanos = 0;
        std::string error{};  // why the last try failed; empty when it succeeded
    };
    Stats stats() const;

private:
    void run(const std::stop_token& stop);
    bool check(const std::stop_token& stop);
    bool compute_next(const std::stop_token& stop);
    void note(const Result<void>& result, std::size_t buckets, std::chrono::nanoseconds took);

    const Options options_;
    SpanStore& store_;
    RollupSchedule& schedule_;
    const std::function<Sequence()> visible_;

    std::atomic<bool> checked_ = false;
    mutable std::mutex mutex_;
    std::condition_variable_any stopped_;
    Stats stats_;          // under mutex_
    std::jthread worker_;  // must be last: it uses everything above
};

}  // namespace obs
