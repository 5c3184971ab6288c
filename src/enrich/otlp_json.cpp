#include "enrich/otlp_json.h"

#include "base/json_writer.h"
#include "enrich/json_reader.h"

namespace obs::testing_rows {

namespace {

constexpr std::int64_t epoch_ms = 1'760'000'000'000;

void write_value(JsonWriter& writer, const JsonElement& value) {
    writer.begin_object();
    std::string_view text;
    std::int64_t integer = 0;
    double number = 0;
    if (value.get(text) == simdjson::SUCCESS) {
        writer.field("stringValue", text);
    } else if (value.is_bool()) {
        writer.field("boolValue", value.get_bool().value_unsafe());
    } else if (value.get(integer) == simdjson::SUCCESS) {
        writer.field("intValue", std::to_string(integer));
    } else if (value.get(number) == simdjson::SUCCESS) {
        writer.field("doubleValue", number);
    } else if (value.is_array()) {
        writer.key("arrayValue").begin_object().key("values").begin_array();
        for (const JsonElement item : array_of(value)) write_value(writer, item);
        writer.end_array().end_object();
    } else if (value.is_object()) {
        writer.key("kvlistValue").begin_object().key("values").begin_array();
        for (const auto field : object_of(value)) {
            writer.begin_object().field("key", field.key).key("value");
            write_value(writer, field.value);
            writer.end_object();
        }
        writer.end_array().end_object();
    }
    writer.end_object();
}

void write_attributes(JsonWriter& writer, const std::optional<JsonObject>& attributes) {
    writer.key("attributes").begin_array();
    if (attributes)
        for (const auto field : *attributes) {
            writer.begin_object().field("key", field.key).key("value");
            write_value(writer, field.value);
            writer.end_object();
        }
    writer.end_array();
}

std::string span_id(std::string_view letter) {
    return letter.empty() ? std::string()
                          : "00000000000000" + std::string("0") + std::string(letter.substr(0, 1));
}

std::string nanos(std::int64_t ms) {
    return std::to_string((ms < 1'000'000'000 ? epoch_ms + ms : ms) * 1'000'000);
}

void write_span(JsonWriter& writer, const JsonObject& span) {
    const std::string_view id = text_member(span, "id");
    const std::int64_t start = integer_member(span, "start").value_or(0);
    writer.begin_object()
        .field("traceId", "5b8efff798038103d269b633813fc60c")
        .field("spanId", span_id(id.empty() ? "e" : id))
        .field("parentSpanId", span_id(text_member(span, "parent")))
        .field("name", text_member(span, "name"))
        .field("kind", integer_member(span, "kind").value_or(1))
        .field("startTimeUnixNano", nanos(start))
        .field("endTimeUnixNano", nanos(integer_member(span, "end").value_or(start + 10'000)));
    if (const auto status = integer_member(span, "status"))
        writer.key("status").begin_object().field("code", *status).end_object();
    write_attributes(writer, object_member(span, "attrs"));
    writer.key("events").begin_array();
    if (const auto events = array_member(span, "events"))
        for (const JsonElement item : *events) {
            const JsonObject event = item.get_object().value_unsafe();
            writer.begin_object().field("name", text_member(event, "name"));
            writer.field("timeUnixNano", nanos(integer_member(event, "time").value_or(start)));
            write_attributes(writer, object_member(event, "attrs"));
            writer.end_object();
        }
    writer.end_array().key("links").begin_array();
    if (const auto links = array_member(span, "links"))
        for (const JsonElement item : *links) {
            const JsonObject link = item.get_object().value_unsafe();
            writer.begin_object().field("traceId", text_member(link, "traceId"));
            writer.field("spanId", text_member(link, "spanId")).end_object();
        }
    writer.end_array().end_object();
}

simdjson::dom::element parse(simdjson::dom::parser& parser, std::string_view text) {
    return parser.parse(simdjson::padded_string(text)).value();
}

}  // namespace

std::string otlp_traces(std::string_view spans) {
    simdjson::dom::parser parser;
    std::string json;
    JsonWriter writer(json);
    writer.begin_object().key("resourceSpans").begin_array();
    std::string origin;
    for (const JsonElement item : array_of(parse(parser, spans))) {
        const JsonObject span = item.get_object().value();
        std::string own(text_member(span, "S"));
        if (const auto resource = member(span, "R")) append_compact(own += '/', *resource);
        // Spans of one scope and resource come together, as clients send them.
        if (origin.empty() || own + '/' != origin) {
            if (!origin.empty()) writer.end_array().end_object().end_array().end_object();
            origin = own + '/';
            writer.begin_object().key("resource").begin_object();
            write_attributes(writer, object_member(span, "R"));
            writer.end_object().key("scopeSpans").begin_array().begin_object();
            writer.key("scope").begin_object().field("name", text_member(span, "S")).end_object();
            writer.key("spans").begin_array();
        }
        write_span(writer, span);
    }
    if (!origin.empty()) writer.end_array().end_object().end_array().end_object();
    writer.end_array().end_object();
    return json;
}

std::string otlp_logs(std::string_view records) {
    simdjson::dom::parser parser;
    std::string json;
    JsonWriter writer(json);
    writer.begin_object().key("resourceLogs").begin_array().begin_object().key("scopeLogs").begin_array();
    writer.begin_object().key("logRecords").begin_array();
    for (const JsonElement item : array_of(parse(parser, records))) {
        const JsonObject record = item.get_object().value();
        writer.begin_object()
            .field("timeUnixNano", nanos(0))
            .field("eventName", text_member(record, "eventName"))
            .field("traceId", text_member(record, "traceId"))
            .field("spanId", text_member(record, "spanId"));
        if (const auto body = member(record, "body")) {
            writer.key("body");
            write_value(writer, *body);
        }
        write_attributes(writer, object_member(record, "attrs"));
        writer.end_object();
    }
    writer.end_array().end_object().end_array().end_object().end_array().end_object();
    return json;
}

}  // namespace obs::testing_rows
