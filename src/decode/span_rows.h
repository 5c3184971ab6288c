// The rules of spans, the same for both encodings: which are kept, what is repaired, what the row says.
#pragma once

#include <cstdint>
#include <string_view>

#include "decode/attribute_lists.h"
#include "decode/envelopes.h"
#include "decode/refusals.h"

namespace obs {

// The fields of a span as they were sent.
struct SpanFields {
    std::string_view trace_id, span_id, parent_span_id, trace_state, name, status_message;
    std::uint64_t start = 0, end = 0;
    std::uint32_t kind = 0, status_code = 0;
    // What the producer dropped.
    std::uint32_t dropped_attributes = 0, dropped_events = 0, dropped_links = 0;
};

struct LinkFields {
    std::string_view trace_id, span_id;
    bool dropped = false;
};

class SpanRows {
public:
    SpanRows(RawSpans& out, Encoding encoding, const DecodeLimits& limits, UnixNanos now)
        : lists(out.raw, limits),
          envelopes(out, lists),
          out_(out),
          encoding_(encoding),
          limits_(limits),
          window_{now, limits.oldest, limits.newest} {}

    AttributeLists lists;
    Envelopes<RawSpans> envelopes;
    Refusals refusals;

    // Between these two come the span's attributes, events and links, in any order.
    void open_span();
    void close_span(const SpanFields& fields);

    RawRange& attributes() { return attributes_; }
    // False if the span has all the events it may have.
    bool has_room_for_event() { return has_room(out_.events.size() - first_event_, limits_.events); }
    bool has_room_for_link() { return has_room(out_.links.size() - first_link_, limits_.links); }
    void add_event(std::uint64_t time, std::string_view name, RawRange attributes, bool dropped);
    void add_link(const LinkFields& fields, RawRange attributes);

private:
    bool has_room(std::size_t count, std::size_t limit);
    bool refuse(const SpanFields& fields, const IdReading<TraceId>& trace, const IdReading<SpanId>& span,
                UnixNanos start);
    void put_times(std::size_t row, const SpanFields& fields, TimeReading start);

    RawSpans& out_;
    const Encoding encoding_;
    const DecodeLimits& limits_;
    const TimeWindow window_;
    RawRange attributes_;
    std::uint32_t first_attribute_ = 0;
    std::size_t first_event_ = 0, first_link_ = 0;
};

}  // namespace obs
