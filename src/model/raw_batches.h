// What decode/ hands to enrich/: the columns that OTLP itself fixes, and the attributes as they came. Nothing
// is copied that can stay where it is: texts point into the request's body or into `arena`, so both must live
// as long.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "model/batches.h"

namespace obs {

// One attribute value. Lists and maps are canonical JSON text already (`json`), bytes are base64 (`bytes`).
struct RawValue {
    AttributeType type = AttributeType::empty;
    std::uint32_t size = 0;
    union {
        const char* data;
        std::int64_t integer;
        double number;
        bool boolean;
    };
    RawValue() : data("") {}
    static RawValue of_text(std::string_view text, AttributeType type = AttributeType::text) {
        RawValue value;
        value.type = type;
        value.size = static_cast<std::uint32_t>(text.size());
        value.data = text.data();
        return value;
    }
    static RawValue of_integer(std::int64_t integer) {
        RawValue value;
        value.type = AttributeType::integer;
        value.integer = integer;
        return value;
    }
    static RawValue of_number(double number) {
        RawValue value;
        value.type = AttributeType::number;
        value.number = number;
        return value;
    }
    static RawValue of_boolean(bool boolean) {
        RawValue value;
        value.type = AttributeType::boolean;
        value.boolean = boolean;
        return value;
    }
    bool has_text() const {
        return type == AttributeType::text || type == AttributeType::json || type == AttributeType::bytes;
    }
    // The text of a value for which has_text(); empty for all others.
    std::string_view text() const { return has_text() ? std::string_view(data, size) : std::string_view(); }
};

// `key` is a code in RawAttributes::keys. Of a key that comes twice in one list both are here; the last one
// counts.
struct RawAttribute {
    std::uint32_t key;
    RawValue value;
};

struct RawRange {
    std::uint32_t begin = 0, end = 0;  // into RawAttributes::list
};

// All attributes of a request, one list after the other.
struct RawAttributes {
    Dictionary keys;
    std::vector<RawAttribute> list;
    std::deque<std::string>
        arena;  // texts that decoding had to make (unescaped JSON, canonical JSON, base64)

    std::string_view key(const RawAttribute& attribute) const { return keys[attribute.key]; }
    // Stays where it is until the end of the batch.
    std::string_view keep(std::string text) { return arena.emplace_back(std::move(text)); }
};

struct RawResource {
    RawRange attributes;
};

struct RawScope {
    std::uint32_t resource = 0;
    std::string_view name, version, schema_url;
    RawRange attributes;
};

struct RawEvent {
    UnixNanos time;
    std::string_view name;
    RawRange attributes;
};

struct RawLink {
    TraceId trace_id;
    SpanId span_id;
    RawRange attributes;
};

// The good spans of one export request. Element i of `scope`, `attributes`, `events_end` and `links_end`
// belongs to row i of `batch`, whose columns org_id, project_id, ts, duration, trace_id, span_id,
// parent_span_id, trace_state, span_name, span_kind, status_code, error_message (status message) and flags
// are filled by decode.
struct RawSpans {
    SpanBatch batch;
    RawAttributes raw;
    std::vector<RawResource> resources;
    std::vector<RawScope> scopes;
    std::vector<RawEvent> events;
    std::vector<RawLink> links;
    std::vector<std::uint32_t> scope;  // into scopes
    std::vector<RawRange> attributes;
    std::vector<std::uint32_t> events_end, links_end;  // rows own [end of the row before, end)
};

// The same for log records: decode fills ts, observed_ts, trace_id, span_id, severity_number, severity_text,
// event_name (the field or the attribute `event.name`, `event_name`), flags.
struct RawLogs {
    LogBatch batch;
    RawAttributes raw;
    std::vector<RawResource> resources;
    std::vector<RawScope> scopes;
    std::vector<std::uint32_t> scope;
    std::vector<RawRange> attributes;
    std::vector<RawValue> body;
};

// And for metric points: decode fills every column but service_name, environment, scope_*, resource and
// attributes.
struct RawMetrics {
    MetricBatch batch;
    RawAttributes raw;
    std::vector<RawResource> resources;
    std::vector<RawScope> scopes;
    std::vector<std::uint32_t> scope;
    std::vector<RawRange> attributes;
};

}  // namespace obs
