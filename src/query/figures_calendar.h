// Days of a time zone, and the time buckets of figures (decision 29).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace obs::query {

// Immutable; copies are cheap. Any thread.
class Calendar {
public:
    // UTC.
    Calendar() = default;
    // A name of the IANA list, `Europe/Berlin`; fails with `invalid_input` for others.
    static Result<Calendar> of(std::string_view zone);

    // The day of a moment, counted from 1970-01-01, and when a day begins.
    std::int64_t day(UnixNanos at) const;
    UnixNanos start_of(std::int64_t day) const;
    UnixNanos start_of_day(UnixNanos at) const { return start_of(day(at)); }
    // `2026-01-09`
    std::string date(UnixNanos at) const;
    const std::string& zone() const { return name_; }

private:
    struct Zone;
    std::shared_ptr<const Zone> zone_;  // none: UTC
    std::string name_ = "UTC";
};

// Monday of the week that the day belongs to.
std::int64_t monday_of(std::int64_t day);
std::string date_of(std::int64_t day);

// Edges of the buckets that cover [from, to): the first at or before `from`, the last at or behind `to`.
// Steps of whole days begin with days of the calendar (of weeks with Mondays), shorter ones lie on the UTC
// clock. Fails with `too_large` when there would be more than `most` buckets.
Result<std::vector<UnixNanos>> bucket_edges(UnixNanos from, UnixNanos to, Nanos step,
                                            const Calendar& calendar, std::size_t most);

}  // namespace obs::query
