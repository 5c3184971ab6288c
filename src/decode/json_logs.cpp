#include <array>
#include <string_view>

#include "decode/json.h"
#include "decode/readers.h"

namespace obs {

namespace {

constexpr std::array<std::string_view, 25> severities = {
    "SEVERITY_NUMBER_UNSPECIFIED", "SEVERITY_NUMBER_TRACE",  "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",      "SEVERITY_NUMBER_TRACE4", "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",      "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",        "SEVERITY_NUMBER_INFO2",  "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",       "SEVERITY_NUMBER_WARN",   "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",       "SEVERITY_NUMBER_WARN4",  "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",      "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",       "SEVERITY_NUMBER_FATAL2", "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4"};

class LogRequest {
public:
    LogRequest(std::string_view body, LogRows& rows) : rows_(rows), reader_(body, rows.lists) {}

    bool read() {
        return reader_.request([&](std::string_view key, JsonValue value) {
            if (key != "resourceLogs") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                rows_.envelopes.open_resource();
                if (!resource_logs(element)) return false;
                rows_.envelopes.close_resource();
                return true;
            });
        });
    }
    Error error() const { return reader_.error(); }

private:
    bool resource_logs(JsonValue resource_logs) {
        return reader_.object(resource_logs, [&](std::string_view key, JsonValue value) {
            if (key == "resource")
                return reader_.resource(value, rows_.envelopes.resource_attributes()) || reader_.in(key);
            if (key != "scopeLogs") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) {
                rows_.envelopes.open_scope();
                if (!scope_logs(element)) return false;
                rows_.envelopes.close_scope();
                return true;
            });
        });
    }

    bool scope_logs(JsonValue scope_logs) {
        return reader_.object(scope_logs, [&](std::string_view key, JsonValue value) {
            RawScope& scope = rows_.envelopes.scope();
            if (key == "scope") return reader_.scope(value, scope) || reader_.in(key);
            if (key == "schemaUrl") return reader_.text(key, value, scope.schema_url);
            if (key != "logRecords") return true;
            return reader_.list(key, value, [&](std::size_t, JsonValue element) { return record(element); });
        });
    }

    bool record(JsonValue record) {
        LogFields fields;
        rows_.open_record();
        const bool read = reader_.object(record, [&](std::string_view key, JsonValue value) {
            if (key == "timeUnixNano") return reader_.unsigned64(key, value, fields.time);
            if (key == "observedTimeUnixNano") return reader_.unsigned64(key, value, fields.observed_time);
            if (key == "severityNumber")
                return reader_.enumeration(key, value, severities, fields.severity_number);
            if (key == "severityText") return reader_.text(key, value, fields.severity_text);
            if (key == "body") return reader_.any_value(value, fields.body) || reader_.in(key);
            if (key == "attributes") return reader_.attributes(key, value, rows_.attributes());
            if (key == "droppedAttributesCount")
                return reader_.unsigned32(key, value, fields.dropped_attributes);
            if (key == "traceId") return reader_.text(key, value, fields.trace_id);
            if (key == "spanId") return reader_.text(key, value, fields.span_id);
            if (key == "eventName") return reader_.text(key, value, fields.event_name);
            return true;
        });
        if (read) rows_.close_record(fields);
        return read;
    }

    LogRows& rows_;
    JsonReader reader_;
};

}  // namespace

Result<void> read_json(std::string_view body, LogRows& rows) {
    LogRequest request(body, rows);
    if (!request.read()) return std::unexpected(request.error());
    return {};
}

}  // namespace obs
