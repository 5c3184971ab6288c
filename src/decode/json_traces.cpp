#include <array>
#include <string_view>

#include "decode/json.h"
#include "decode/readers.h"

namespace obs {

namespace {

constexpr std::array<std::string_view, 6> span_kinds = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL",
                                                        "SPAN_KIND_SERVER",      "SPAN_KIND_CLIENT",
                                                        "SPAN_KIND_PRODUCER",    "SPAN_KIND_CONSUMER"};
constexpr std::array<std::string_view, 3> status_codes = {"STATUS_CODE_UNSET", "STATUS_CODE_OK",
                                                          "STATUS_CODE_ERROR"};

class TraceRequest {
public:
    TraceRequest(std::string_view body, SpanRows& rows) : rows_(rows), reader_(body, rows.lists) {}

    bool read() {
        return reader_.request([&](std::string_view key, JsonValue value) {
            if (key != "resourceSpans") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                rows_.envelopes.open_resource();
                if (!resource_spans(element)) return false;
                rows_.envelopes.close_resource();
                return true;
            });
        });
    }
    Error error() const { return reader_.error(); }

private:
    bool resource_spans(JsonValue resource_spans) {
        return reader_.object(resource_spans, [&](std::string_view key, JsonValue value) {
            if (key == "resource")
                return reader_.resource(value, rows_.envelopes.resource_attributes()) || reader_.in(key);
            if (key != "scopeSpans") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                rows_.envelopes.open_scope();
                if (!scope_spans(element)) return false;
                rows_.envelopes.close_scope();
                return true;
            });
        });
    }

    bool scope_spans(JsonValue scope_spans) {
        return reader_.object(scope_spans, [&](std::string_view key, JsonValue value) {
            RawScope& scope = rows_.envelopes.scope();
            if (key == "scope") return reader_.scope(value, scope) || reader_.in(key);
            if (key == "schemaUrl") return reader_.text(key, value, scope.schema_url);
            if (key != "spans") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) { return span(element); });
        });
    }

    bool span(JsonValue span) {
        SpanFields fields;
        rows_.open_span();
        const bool read = reader_.object(span, [&](std::string_view key, JsonValue value) {
            if (key == "traceId") return reader_.text(key, value, fields.trace_id);
            if (key == "spanId") return reader_.text(key, value, fields.span_id);
            if (key == "parentSpanId") return reader_.text(key, value, fields.parent_span_id);
            if (key == "traceState") return reader_.text(key, value, fields.trace_state);
            if (key == "name") return reader_.text(key, value, fields.name);
            if (key == "kind") return reader_.enumeration(key, value, span_kinds, fields.kind);
            if (key == "startTimeUnixNano") return reader_.unsigned64(key, value, fields.start);
            if (key == "endTimeUnixNano") return reader_.unsigned64(key, value, fields.end);
            if (key == "attributes") return reader_.attributes(key, value, rows_.attributes());
            if (key == "events") return events(key, value);
            if (key == "links") return links(key, value);
            if (key == "status") return status(value, fields) || reader_.in(key);
            if (key == "droppedAttributesCount")
                return reader_.unsigned32(key, value, fields.dropped_attributes);
            if (key == "droppedEventsCount") return reader_.unsigned32(key, value, fields.dropped_events);
            if (key == "droppedLinksCount") return reader_.unsigned32(key, value, fields.dropped_links);
            return true;
        });
        if (read) rows_.close_span(fields);
        return read;
    }

    bool status(JsonValue status, SpanFields& fields) {
        return reader_.object(status, [&](std::string_view key, JsonValue value) {
            if (key == "message") return reader_.text(key, value, fields.status_message);
            if (key == "code") return reader_.enumeration(key, value, status_codes, fields.status_code);
            return true;
        });
    }

    bool events(std::string_view field, JsonValue events) {
        return reader_.list(field, events, [&](std::size_t, JsonValue event) {
            if (!rows_.has_room_for_event()) return true;
            std::uint64_t time = 0;
            std::uint32_t dropped = 0;
            std::string_view name;
            RawRange attributes = rows_.lists.begin_list();
            const bool read = reader_.object(event, [&](std::string_view key, JsonValue value) {
                if (key == "timeUnixNano") return reader_.unsigned64(key, value, time);
                if (key == "name") return reader_.text(key, value, name);
                if (key == "attributes") return reader_.attributes(key, value, attributes);
                if (key == "droppedAttributesCount") return reader_.unsigned32(key, value, dropped);
                return true;
            });
            if (read) rows_.add_event(time, name, attributes, dropped != 0);
            return read;
        });
    }

    bool links(std::string_view field, JsonValue links) {
        return reader_.list(field, links, [&](std::size_t, JsonValue link) {
            if (!rows_.has_room_for_link()) return true;
            LinkFields fields;
            std::uint32_t dropped = 0;
            RawRange attributes = rows_.lists.begin_list();
            const bool read = reader_.object(link, [&](std::string_view key, JsonValue value) {
                if (key == "traceId") return reader_.text(key, value, fields.trace_id);
                if (key == "spanId") return reader_.text(key, value, fields.span_id);
                if (key == "attributes") return reader_.attributes(key, value, attributes);
                if (key == "droppedAttributesCount") return reader_.unsigned32(key, value, dropped);
                return true;
            });
            fields.dropped = dropped != 0;
            if (read) rows_.add_link(fields, attributes);
            return read;
        });
    }

    SpanRows& rows_;
    JsonReader reader_;
};

}  // namespace

Result<void> read_json(std::string_view body, SpanRows& rows) {
    TraceRequest request(body, rows);
    if (!request.read()) return std::unexpected(request.error());
    return {};
}

}  // namespace obs
