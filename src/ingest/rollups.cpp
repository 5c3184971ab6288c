#include "ingest/rollups.h"

#include <utility>

#include "base/log.h"

namespace obs {

namespace {

using std::chrono::steady_clock;

constexpr auto retry_check = std::chrono::seconds(10);

}  // namespace

Rollups::Rollups(Options options, SpanStore& store, RollupSchedule& schedule,
                 std::function<Sequence()> visible)
    : options_(std::move(options)),
      store_(store),
      schedule_(schedule),
      visible_(std::move(visible)),
      worker_([this](const std::stop_token& stop) { run(stop); }) {}

Rollups::~Rollups() {
    stop();
}

void Rollups::stop() {
    if (!worker_.joinable()) return;
    worker_.request_stop();
    worker_.join();
}

Rollups::Stats Rollups::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

void Rollups::run(const std::stop_token& stop) {
    auto next_check = steady_clock::now();
    while (!stop.stop_requested()) {
        if (steady_clock::now() >= next_check)
            next_check = steady_clock::now() + (check(stop) ? steady_clock::duration(options_.check_every)
                                                            : steady_clock::duration(retry_check));
        if (compute_next(stop)) continue;
        std::unique_lock lock(mutex_);
        stopped_.wait_for(lock, stop, options_.look_every, [] { return false; });
    }
}

bool Rollups::check(const std::stop_token& stop) {
    const UnixNanos now = options_.clock();
    for (const RollupLevel level : all_rollup_levels) {
        const Nanos keep =
            level == RollupLevel::minute ? options_.keep_minutes : options_.keep_hours_and_days;
        if (keep.count == 0) continue;
        if (const auto forgotten = store_.forget_rollups(level, now - keep); !forgotten)
            log::warning("store: cannot drop old rollups: {}", forgotten.error().message);
    }
    const auto stale = store_.stale_rollups({.stop = stop});
    if (!stale) {
        note(std::unexpected(stale.error()), 0, {});
        return false;
    }
    schedule_.stale(*stale);
    checked_ = true;
    return true;
}

// False when there is nothing to do, or it cannot be done now.
bool Rollups::compute_next(const std::stop_token& stop) {
    // Before the work is taken: what becomes visible later makes its buckets wait again.
    const Sequence through = visible_();
    auto work = schedule_.next();
    if (!work) return false;
    work->through = through;
    const auto begin = steady_clock::now();
    const auto result = store_.roll_up(*work, {.stop = stop});
    const auto took = steady_clock::now() - begin;
    if (result)
        schedule_.done(*work, took);
    else
        schedule_.failed(*work);
    note(result, work->buckets.size(), took);
    return result.has_value();
}

void Rollups::note(const Result<void>& result, std::size_t buckets, std::chrono::nanoseconds took) {
    const std::lock_guard lock(mutex_);
    stats_.busy_nanos += static_cast<std::uint64_t>(took.count());
    if (result) {
        stats_.computed += buckets;
        stats_.error.clear();
        return;
    }
    if (result.error().kind == ErrorKind::cancelled) return;  // stopping
    ++stats_.failures;
    if (stats_.error.empty()) log::warning("store: cannot roll up, trying again: {}", result.error().message);
    stats_.error = result.error().message;
}

}  // namespace obs
