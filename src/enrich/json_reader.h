// JSON of foreign origin, parsed by simdjson with parsers that each thread keeps. JSON inside a JSON string
// needs a document of its own while the outer one is still read: one parser a level.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

namespace obs {

using JsonElement = simdjson::dom::element;
using JsonObject = simdjson::dom::object;
using JsonArray = simdjson::dom::array;

// Levels of JSON text in JSON text that are read.
inline constexpr unsigned json_levels = 4;

// Nothing for what is not one complete JSON value. Valid until the next call of this thread for the same
// level; `text` is copied.
std::optional<JsonElement> parse_json(std::string_view text, unsigned level = 0);

// Begins as an object or a list does.
bool looks_like_json(std::string_view text);

// Members by name; nothing when missing, null or of another type.
std::optional<JsonElement> member(const JsonObject& object, std::string_view name);
std::string_view text_member(const JsonObject& object, std::string_view name);
std::optional<JsonObject> object_member(const JsonObject& object, std::string_view name);
std::optional<JsonArray> array_member(const JsonObject& object, std::string_view name);
std::optional<double> number_member(const JsonObject& object, std::string_view name);
std::optional<std::int64_t> integer_member(const JsonObject& object, std::string_view name);

// The element must be one.
JsonArray array_of(const JsonElement& element);
JsonObject object_of(const JsonElement& element);

std::optional<double> number_of(const JsonElement& element);
std::optional<std::int64_t> integer_of(const JsonElement& element);

// Compact JSON of any element.
void append_compact(std::string& out, const JsonElement& element);
// A text as it is, everything else as compact JSON.
std::string text_or_json(const JsonElement& element);

}  // namespace obs
