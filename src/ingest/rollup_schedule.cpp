#include "ingest/rollup_schedule.h"

#include <algorithm>

namespace obs {

namespace {

// How long late changes gather.
constexpr Nanos gather[] = {Nanos::seconds(10), Nanos::seconds(60), Nanos::seconds(600)};
// Of its time, a bucket is computed one part in so many at most, however many spans come late.
constexpr std::int64_t idle_share = 20;
// Buckets that ended within so long come first.
constexpr Nanos recent[] = {Nanos::hours(1), Nanos::hours(24), Nanos::days(2)};
// In one statement.
constexpr std::size_t at_once[] = {15, 24, 1};

constexpr std::size_t index(RollupLevel level) {
    return static_cast<std::size_t>(level);
}

}  // namespace

void RollupSchedule::changed(std::span<const UnixNanos> starts) {
    const UnixNanos now = options_.clock();
    const std::lock_guard lock(mutex_);
    std::optional<RollupBucket> last;
    for (const UnixNanos start : starts) {
        // Spans of a batch began about the same time.
        if (last && start >= last->start && start < last->end()) continue;
        last = bucket_of(RollupLevel::minute, start);
        for (const RollupLevel level : all_rollup_levels) wait(bucket_of(level, start), now);
    }
}

void RollupSchedule::stale(std::span<const RollupBucket> buckets) {
    const std::lock_guard lock(mutex_);
    for (const RollupBucket& bucket : buckets) wait(bucket, UnixNanos{0});
}

std::optional<RollUp> RollupSchedule::next() {
    const UnixNanos now = options_.clock();
    const std::lock_guard lock(mutex_);
    let_go(now);
    for (const RollupLevel level : all_rollup_levels)
        if (auto work = next_of(level, now)) {
            in_work_.insert(in_work_.end(), work->buckets.begin(), work->buckets.end());
            return work;
        }
    return std::nullopt;
}

void RollupSchedule::done(const RollUp& work, std::chrono::nanoseconds took) {
    const std::lock_guard lock(mutex_);
    over(work);
    cost_[index(work.buckets.front().level)] = {took.count() /
                                                static_cast<std::int64_t>(work.buckets.size())};
}

void RollupSchedule::failed(const RollUp& work) {
    const UnixNanos now = options_.clock();
    const std::lock_guard lock(mutex_);
    over(work);
    for (const RollupBucket& bucket : work.buckets) wait(bucket, now);
}

std::size_t RollupSchedule::waiting(RollupLevel level) const {
    const std::lock_guard lock(mutex_);
    return waiting_[index(level)].size();
}

std::vector<UnixNanos> RollupSchedule::outdated(RollupLevel level, UnixNanos from, UnixNanos to) const {
    const std::lock_guard lock(mutex_);
    std::vector<UnixNanos> starts;
    const UnixNanos first = bucket_of(level, from).start;
    const Waiting& waiting = waiting_[index(level)];
    for (auto at = waiting.lower_bound(first); at != waiting.end() && at->first < to; ++at)
        starts.push_back(at->first);
    for (const RollupBucket& bucket : in_work_)
        if (bucket.level == level && bucket.start >= first && bucket.start < to)
            starts.push_back(bucket.start);
    std::ranges::sort(starts);
    starts.erase(std::ranges::unique(starts).begin(), starts.end());
    return starts;
}

void RollupSchedule::over(const RollUp& work) {
    std::erase_if(in_work_, [&](const RollupBucket& bucket) {
        return std::ranges::find(work.buckets, bucket) != work.buckets.end();
    });
}

void RollupSchedule::wait(RollupBucket bucket, UnixNanos since) {
    const auto [found, added] = of(bucket.level).emplace(bucket.start, since);
    if (!added) found->second = std::min(found->second, since);
}

void RollupSchedule::let_go(UnixNanos now) {
    for (const RollupLevel level : all_rollup_levels) {
        const Nanos keep =
            level == RollupLevel::minute ? options_.keep_minutes : options_.keep_hours_and_days;
        if (keep.count == 0) continue;
        Waiting& waiting = of(level);
        waiting.erase(waiting.begin(), waiting.upper_bound(now - keep - length_of(level)));
    }
}

std::optional<RollUp> RollupSchedule::next_of(RollupLevel level, UnixNanos now) {
    Waiting& waiting = of(level);
    const auto is_due = [&](const auto& bucket) { return due(level, bucket, now); };
    const auto is_recent = waiting.lower_bound(now - recent[index(level)] - length_of(level));
    auto first = std::find_if(is_recent, waiting.end(), is_due);
    if (first == waiting.end()) first = std::find_if(waiting.begin(), is_recent, is_due);
    if (first == waiting.end() || !is_due(*first)) return std::nullopt;

    RollUp work;
    const std::int32_t day = day_of(first->first);
    const bool of_finer = from_finer({level, first->first}, now);
    work.from = of_finer ? RollUp::From::finer : RollUp::From::rows;
    while (first != waiting.end() && day_of(first->first) == day &&
           work.buckets.size() < at_once[index(level)] && is_due(*first) &&
           from_finer({level, first->first}, now) == of_finer) {
        work.buckets.push_back({level, first->first});
        first = waiting.erase(first);
    }
    return work;
}

bool RollupSchedule::due(RollupLevel level, const Waiting::value_type& bucket, UnixNanos now) {
    const auto& [start, since] = bucket;
    const RollupBucket of_level{level, start};
    if (now < of_level.end() + options_.settle_after || now < since + patience(level)) return false;
    return !from_finer(of_level, now) || !finer_wait(of_level);
}

// Minutes that were let go cannot make an hour, nor hours a day.
bool RollupSchedule::from_finer(RollupBucket bucket, UnixNanos now) const {
    if (bucket.level == RollupLevel::minute) return false;
    const Nanos keep =
        bucket.level == RollupLevel::hour ? options_.keep_minutes : options_.keep_hours_and_days;
    return keep.count == 0 || bucket.start >= now - keep;
}

bool RollupSchedule::finer_wait(RollupBucket bucket) {
    const bool of_hour = bucket.level == RollupLevel::hour;
    const Waiting& finer = of(of_hour ? RollupLevel::minute : RollupLevel::hour);
    const auto first = finer.lower_bound(bucket.start);
    return first != finer.end() && first->first < bucket.end();
}

Nanos RollupSchedule::patience(RollupLevel level) const {
    return std::max(gather[index(level)], Nanos{cost_[index(level)].count * idle_share});
}

}  // namespace obs
