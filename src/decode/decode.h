// From the bytes of one OTLP export request to columns, in a single pass. Both encodings give the same rows
// for the same data. Thread-safe; touches neither disk nor clock.
//
// `body` must have 64 readable bytes behind its end (base/buffer.h has) and must live as long as the rows,
// which point into it. Every text of the rows is valid UTF-8.
//
// Fails with `invalid_input` when the request as a whole cannot be read; the message says what is wrong and
// where (byte or field path) and never shows content. Single items that break a rule are left out and
// counted: ids of zero or of a wrong length, times outside the window, metric points without a usable value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/intake.h"
#include "model/raw_batches.h"

namespace obs {

// What is over a limit is cut and flagged (RowFlag), never a reason to refuse.
struct DecodeLimits {
    std::size_t depth = 64;             // lists and maps inside each other; deeper ones become a mark
    std::size_t value_bytes = 1 << 20;  // per attribute value, log body and status message
    std::size_t attributes = 1024;      // per list: the first ones are kept
    std::size_t events = 1024;          // per span
    std::size_t links = 1024;           // per span
    // Per request, all attributes and all events and links: bounds the memory that a body of 64 MiB can ask
    // for.
    std::size_t attributes_in_all = 4'000'000;
    std::size_t events_and_links_in_all = 2'000'000;
    // Times may lie from `now - oldest` to `now + newest`; outside, the item is refused. Set `oldest` to the
    // lifetime of the table's rows (decision 30).
    Nanos oldest = Nanos::days(90);
    Nanos newest = Nanos::hours(24);
};

template <class Raw>
struct Decoded {
    Raw rows;
    std::int64_t rejected = 0;  // spans, log records or data points
    std::string message;        // why the first one was refused and how many had which reason; empty if none
};

Result<Decoded<RawSpans>> decode_traces(Encoding encoding, std::string_view body, const DecodeLimits& limits,
                                        UnixNanos now);
Result<Decoded<RawLogs>> decode_logs(Encoding encoding, std::string_view body, const DecodeLimits& limits,
                                     UnixNanos now);
Result<Decoded<RawMetrics>> decode_metrics(Encoding encoding, std::string_view body,
                                           const DecodeLimits& limits, UnixNanos now);

}  // namespace obs
