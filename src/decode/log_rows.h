// The rules of log records, the same for both encodings.
#pragma once

#include <cstdint>
#include <string_view>

#include "decode/attribute_lists.h"
#include "decode/envelopes.h"
#include "decode/refusals.h"

namespace obs {

// The fields of a log record as they were sent.
struct LogFields {
    std::string_view trace_id, span_id, severity_text, event_name;
    std::uint64_t time = 0, observed_time = 0;
    std::uint32_t severity_number = 0;
    std::uint32_t dropped_attributes = 0;
    RawValue body;
};

class LogRows {
public:
    LogRows(RawLogs& out, Encoding encoding, const DecodeLimits& limits, UnixNanos now)
        : lists(out.raw, limits),
          envelopes(out, lists),
          out_(out),
          encoding_(encoding),
          window_{now, limits.oldest, limits.newest} {}

    AttributeLists lists;
    Envelopes<RawLogs> envelopes;
    Refusals refusals;

    void open_record();
    void close_record(const LogFields& fields);
    RawRange& attributes() { return attributes_; }

private:
    std::string_view event_name(const LogFields& fields) const;

    RawLogs& out_;
    const Encoding encoding_;
    const TimeWindow window_;
    RawRange attributes_;
    std::uint32_t first_attribute_ = 0;
};

}  // namespace obs
