// Rollups: figures of closed minutes, hours and days, so that a question about a month need not read its
// rows. They are computed from rows and replaced whenever the rows change (decision 13).
//
// Minutes and hours by project, service, provider, model, environment, kind and status: sums, counts and
// sketches of durations. Hours and days by key, that is user, session, tag, or what an error is called: sums
// and counts.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace obs {

enum class RollupLevel : std::uint8_t { minute, hour, day };
inline constexpr RollupLevel all_rollup_levels[] = {RollupLevel::minute, RollupLevel::hour, RollupLevel::day};

constexpr Nanos length_of(RollupLevel level) {
    switch (level) {
        case RollupLevel::minute: return Nanos::seconds(60);
        case RollupLevel::hour: return Nanos::hours(1);
        case RollupLevel::day: return Nanos::days(1);
    }
    return {};
}

// A minute, hour or day, in UTC.
struct RollupBucket {
    RollupLevel level = RollupLevel::minute;
    UnixNanos start;
    auto operator<=>(const RollupBucket&) const = default;
    constexpr UnixNanos end() const { return start + length_of(level); }
};

constexpr RollupBucket bucket_of(RollupLevel level, UnixNanos at) {
    const std::int64_t length = length_of(level).count;
    const std::int64_t into = at.since_epoch % length;
    return {level, at - Nanos{into < 0 ? into + length : into}};
}

// One piece of work: buckets of one level, ascending.
struct RollUp {
    // Hours may be put together from minutes, and days from hours, when these are rolled up and their rows
    // have not changed since. What finer ones do not know comes from rows all the same.
    enum class From : std::uint8_t { rows, finer };

    std::vector<RollupBucket> buckets;
    From from = From::rows;
    std::uint64_t through = 0;  // every row with a seq up to here is stored
};

}  // namespace obs
