#include "enrich/json_reader.h"

#include <array>
#include <cassert>
#include <cmath>

#include "base/json_writer.h"
#include "enrich/values.h"

namespace obs {

namespace {

struct Level {
    simdjson::dom::parser parser;
    std::string padded;
};

// What one large document leaves behind is given back.
constexpr std::size_t kept_bytes = 1 << 20;

}  // namespace

std::optional<JsonElement> parse_json(std::string_view text, unsigned level) {
    thread_local std::array<Level, json_levels> levels;
    if (level >= json_levels) return std::nullopt;
    Level& at = levels[level];
    if (at.padded.capacity() > kept_bytes && text.size() < kept_bytes / 2) {
        at.parser = simdjson::dom::parser();
        at.padded = std::string();
    }
    at.padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    at.padded.assign(text);
    JsonElement element;
    const auto error = at.parser.parse(at.padded.data(), at.padded.size(), false).get(element);
    if (error != simdjson::SUCCESS) return std::nullopt;
    return element;
}

bool looks_like_json(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

std::optional<JsonElement> member(const JsonObject& object, std::string_view name) {
    JsonElement element;
    if (object.at_key(name).get(element) != simdjson::SUCCESS || element.is_null()) return std::nullopt;
    return element;
}

std::string_view text_member(const JsonObject& object, std::string_view name) {
    std::string_view text;
    if (object.at_key(name).get(text) != simdjson::SUCCESS) return {};
    return text;
}

std::optional<JsonObject> object_member(const JsonObject& object, std::string_view name) {
    JsonObject inner;
    if (object.at_key(name).get(inner) != simdjson::SUCCESS) return std::nullopt;
    return inner;
}

std::optional<JsonArray> array_member(const JsonObject& object, std::string_view name) {
    JsonArray inner;
    if (object.at_key(name).get(inner) != simdjson::SUCCESS) return std::nullopt;
    return inner;
}

JsonArray array_of(const JsonElement& element) {
    assert(element.is_array());
    return element.get_array().value_unsafe();
}

JsonObject object_of(const JsonElement& element) {
    assert(element.is_object());
    return element.get_object().value_unsafe();
}

std::optional<double> number_of(const JsonElement& element) {
    double number = 0;
    if (element.get(number) == simdjson::SUCCESS) return number;
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) return number_of(text);
    return std::nullopt;
}

std::optional<std::int64_t> integer_of(const JsonElement& element) {
    std::int64_t integer = 0;
    if (element.get(integer) == simdjson::SUCCESS) return integer;
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) return integer_of(text);
    double number = 0;
    if (element.get(number) == simdjson::SUCCESS && number == std::floor(number) && std::fabs(number) < 9e18)
        return static_cast<std::int64_t>(number);
    return std::nullopt;
}

std::optional<double> number_member(const JsonObject& object, std::string_view name) {
    const std::optional<JsonElement> element = member(object, name);
    return element ? number_of(*element) : std::nullopt;
}

std::optional<std::int64_t> integer_member(const JsonObject& object, std::string_view name) {
    const std::optional<JsonElement> element = member(object, name);
    return element ? integer_of(*element) : std::nullopt;
}

void append_compact(std::string& out, const JsonElement& element) {
    switch (element.type()) {
        case simdjson::dom::element_type::STRING: {
            std::string_view text;
            if (element.get(text) == simdjson::SUCCESS) append_json_string(out, text);
            break;
        }
        case simdjson::dom::element_type::OBJECT: {
            JsonObject object;
            if (element.get(object) != simdjson::SUCCESS) break;
            char before = '{';
            for (const auto field : object) {
                out += std::exchange(before, ',');
                append_json_string(out, field.key);
                out += ':';
                append_compact(out, field.value);
            }
            if (before == '{') out += '{';
            out += '}';
            break;
        }
        case simdjson::dom::element_type::ARRAY: {
            JsonArray array;
            if (element.get(array) != simdjson::SUCCESS) break;
            char before = '[';
            for (const JsonElement item : array) {
                out += std::exchange(before, ',');
                append_compact(out, item);
            }
            if (before == '[') out += '[';
            out += ']';
            break;
        }
        case simdjson::dom::element_type::DOUBLE: {
            double number = 0;
            if (element.get(number) == simdjson::SUCCESS) append_json_number(out, number);
            break;
        }
        default: out += simdjson::minify(element);
    }
}

std::string text_or_json(const JsonElement& element) {
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) return std::string(text);
    std::string json;
    append_compact(json, element);
    return json;
}

}  // namespace obs
