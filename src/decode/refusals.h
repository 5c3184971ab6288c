// The items of a request that break a rule: how many, and words for the client about the first.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/time.h"
#include "model/intake.h"

namespace obs {

enum class Reason : std::uint8_t { trace_id, span_id, too_old, too_new, no_time, no_value, buckets, no_data };

class Refusals {
public:
    // Counts `items`; `describe` makes the text for the first refusal alone.
    template <class Describe>
    void add(Reason reason, Describe&& describe, std::int64_t items = 1) {
        if (total_ == 0) first_ = describe();
        total_ += items;
        by_reason_[static_cast<std::size_t>(reason)] += items;
    }
    std::int64_t total() const { return total_; }
    // `items` is what they are called: "spans". Empty if there are none.
    std::string message(std::string_view items) const;

private:
    std::array<std::int64_t, 8> by_reason_{};
    std::int64_t total_ = 0;
    std::string first_;
};

// An id as it was sent: raw bytes or hex digits in protobuf, hex digits or base64 in JSON.
template <class Id>
struct IdReading {
    Id id;       // zero if absent or wrong
    bool wrong;  // neither absent nor an id
};
IdReading<TraceId> read_trace_id(Encoding encoding, std::string_view sent);
IdReading<SpanId> read_span_id(Encoding encoding, std::string_view sent);
// "a trace id of 15 bytes", "no trace id": why an id cannot be used, without showing it.
std::string what_is_wrong(std::string_view id_name, Encoding encoding, std::string_view sent);

// A time as it was sent, repaired: seconds, milliseconds and microseconds are told by their magnitude, what
// is beyond the year 2262 is as late as can be told.
struct TimeReading {
    UnixNanos time;
    bool repaired;
};
TimeReading read_time(std::uint64_t sent);

// The times that items may have.
struct TimeWindow {
    UnixNanos now;
    Nanos oldest, newest;
    bool too_old(UnixNanos at) const { return at < now - oldest; }
    bool too_new(UnixNanos at) const { return at > now + newest; }
    bool holds(UnixNanos at) const { return !too_old(at) && !too_new(at); }
    Reason reason(UnixNanos at) const { return too_old(at) ? Reason::too_old : Reason::too_new; }
    // "start time 2100-01-01T00:00:00Z is more than 24 hours ahead"
    std::string describe(std::string_view time_name, UnixNanos at) const;
};

}  // namespace obs
