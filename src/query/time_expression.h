// Points in time as clients write them: `now`, `now-1h`, RFC 3339, a date, seconds or milliseconds since
// 1970.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace obs::query {

// `now-<n><unit>` knows the units s, m (minutes), h, d and w. A number below 10^11 is seconds, from there on
// milliseconds. Fails with `invalid_input`, also for times outside of the years 1678 to 2261.
Result<UnixNanos> parse_time(std::string_view text, UnixNanos now);
Result<UnixNanos> time_of_number(double number);

}  // namespace obs::query
