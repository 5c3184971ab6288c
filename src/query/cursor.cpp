#include "query/cursor.h"

#include <charconv>
#include <cstring>

#include <simdjson.h>

#include "base/ids.h"
#include "base/json_writer.h"
#include "query/base64.h"
#include "query/fields.h"

namespace obs::query {

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::size_t text_limit = 64 * 1024;

bool is_id(const Order& order) {
    const ColumnInfo* column = order.field.column;
    return column != nullptr && (column->type == ColumnType::trace_id || column->type == ColumnType::span_id);
}

void write_sort_value(JsonWriter& json, const Order& order, const std::optional<Scalar>& value) {
    if (!value) {
        json.null();
    } else if (const auto* text = std::get_if<std::string>(&*value)) {
        json.value(is_id(order) ? to_hex(std::as_bytes(std::span(*text))) : *text);
    } else if (const auto* integer = std::get_if<std::int64_t>(&*value)) {
        json.value(*integer);
    } else {
        json.value(std::get<double>(*value));
    }
}

std::unexpected<Error> invalid(std::string_view why) {
    return std::unexpected(Error{ErrorKind::invalid_input, fmt::format("Invalid cursor: {}", why), "cursor"});
}
std::unexpected<Error> unreadable() {
    return invalid("it is not one that this server gave out");
}

bool by_time(const Order& order) {
    return order.field.column != nullptr && order.field.column->type == ColumnType::time;
}

// Id bytes from their hex.
std::optional<std::string> bytes_of(std::string_view hex) {
    std::string bytes(hex.size() / 2, '\0');
    if (!from_hex(hex, std::as_writable_bytes(std::span(bytes)))) return std::nullopt;
    return bytes;
}

// False if the value cannot be one of the column.
bool read_sort_value(const element& json, const Order& order, std::optional<Scalar>& value) {
    const bool text = order.field.column != nullptr && (order.field.column->type == ColumnType::dict ||
                                                        order.field.column->type == ColumnType::text);
    const bool number = order.field.column == nullptr || order.field.column->type == ColumnType::f64;
    switch (json.type()) {
        case element_type::NULL_VALUE: value.reset(); return true;
        case element_type::STRING: {
            const std::string_view given = json.get_string().value_unsafe();
            if (text)
                value = std::string(given);
            else if (is_id(order))
                if (const auto bytes = bytes_of(given); bytes && !bytes->empty()) value = *bytes;
            return value.has_value();
        }
        case element_type::INT64:
            if (text || is_id(order)) return false;
            if (number)
                value = static_cast<double>(json.get_int64().value_unsafe());
            else
                value = json.get_int64().value_unsafe();
            return true;
        case element_type::DOUBLE: value = json.get_double().value_unsafe(); return number;
        default: return false;
    }
}

bool read_time(const element& json, std::string_view key, UnixNanos& at) {
    std::string_view text;
    if (json[key].get(text) != simdjson::SUCCESS) return false;
    const auto parsed = parse_rfc3339(text);
    if (parsed) at = *parsed;
    return parsed.has_value();
}
bool read_time(const element& json, std::string_view key, std::optional<UnixNanos>& at) {
    if (json[key].error() != simdjson::SUCCESS) return true;
    return read_time(json, key, at.emplace());
}

bool read_number(const element& json, std::string_view key, std::uint64_t& number) {
    return json[key].get(number) == simdjson::SUCCESS;
}

bool read_number(const element& json, std::string_view key, std::optional<std::uint64_t>& number) {
    if (json[key].error() != simdjson::SUCCESS) return true;
    return read_number(json, key, number.emplace());
}

// Hex, because a JSON number of 64 bits does not survive every client.
bool read_fingerprint(const element& json, std::uint64_t& number) {
    std::string_view text;
    if (json["question"].get(text) != simdjson::SUCCESS) return false;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    return fault == std::errc{} && end == text.data() + text.size();
}

// False if it is malformed; `after` stays empty when the cursor holds no row.
bool read_position(const element& json, const std::vector<Order>& order,
                   std::optional<RowQuestion::Position>& after) {
    std::string_view trace, span;
    if (json["trace_id"].get(trace) != simdjson::SUCCESS) return true;
    RowQuestion::Position position{};
    const auto trace_id = TraceId::from_hex(trace);
    if (!trace_id || json["span_id"].get(span) != simdjson::SUCCESS) return false;
    const auto span_id = SpanId::from_hex(span);
    if (!span_id || !read_time(json, "timestamp", position.ts)) return false;
    position.trace_id = *trace_id;
    position.span_id = *span_id;
    simdjson::dom::array values;
    if (json["sort_value"].get(values) != simdjson::SUCCESS || values.size() != order.size()) return false;
    std::size_t i = 0;
    for (const element& value : values) {
        position.values.emplace_back();
        // Times are RFC 3339 in a cursor as everywhere outside.
        if (by_time(order[i]))
            position.values.back() = position.ts.since_epoch;
        else if (!read_sort_value(value, order[i], position.values.back()))
            return false;
        ++i;
    }
    after = std::move(position);
    return true;
}

}  // namespace

std::string to_text(const Cursor& cursor, const std::vector<Order>& order) {
    std::string text;
    JsonWriter json(text);
    json.begin_object();
    if (cursor.after) {
        json.field("timestamp", rfc3339(cursor.after->ts));
        json.field("trace_id", cursor.after->trace_id.hex());
        json.field("span_id", cursor.after->span_id.hex());
        json.key("sort_value").begin_array();
        for (std::size_t i = 0; i < order.size(); ++i) {
            if (by_time(order[i]))
                json.value(rfc3339(cursor.after->ts));
            else
                write_sort_value(json, order[i], cursor.after->values[i]);
        }
        json.end_array();
    }
    json.field("direction", order.empty() || order.front().descending ? "desc" : "asc");
    json.field("question", fmt::format("{:016x}", cursor.question));
    json.field("seq", cursor.seq).field("now", rfc3339(cursor.now));
    if (cursor.alike) json.field("alike", *cursor.alike);
    if (cursor.offset) json.field("offset", *cursor.offset);
    if (cursor.floor) json.field("floor", rfc3339(*cursor.floor));
    if (cursor.to) json.field("to", rfc3339(*cursor.to));
    json.end_object();
    return to_base64(text);
}

Result<Cursor> parse_cursor(std::string_view text, std::uint64_t question, const std::vector<Order>& order) {
    if (text.size() > text_limit) return unreadable();
    const auto bytes = from_base64(text);
    if (!bytes) return unreadable();
    simdjson::dom::parser parser;
    element json;
    if (parser.parse(*bytes).get(json) != simdjson::SUCCESS || !json.is_object()) return unreadable();
    Cursor cursor;
    if (!read_fingerprint(json, cursor.question) || !read_number(json, "seq", cursor.seq) ||
        !read_time(json, "now", cursor.now) || !read_time(json, "floor", cursor.floor) ||
        !read_time(json, "to", cursor.to) || !read_number(json, "alike", cursor.alike) ||
        !read_number(json, "offset", cursor.offset))
        return unreadable();
    if (cursor.question != question)
        return invalid("it belongs to another question; ask without it to start again");
    if (!read_position(json, order, cursor.after)) return unreadable();
    return cursor;
}

}  // namespace obs::query
