// What the three signals share in OTLP/JSON: walking values, their leniencies (reference: OTLP/JSON
// encoding), attributes, resources, scopes, and saying where a request is broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "base/result.h"
#include "decode/attribute_lists.h"

namespace obs {

using JsonValue = simdjson::ondemand::value;

// The names that may stand for the numbers of an enumeration; element i is the name of number i.
using EnumNames = std::span<const std::string_view>;

// Every bool of this class and of the readers that use it: false means that the request cannot be read.
// Values must be read in the order in which they come, each at most once; what is not read is left out.
class JsonReader {
public:
    JsonReader(std::string_view body, AttributeLists& lists) : body_(body), lists_(lists) {}

    // Calls read_field(key, value) for each field of the request that is not null.
    template <class ReadField>
    bool request(ReadField&& read_field) {
        if (!open()) return false;
        simdjson::ondemand::object fields;
        if (document_.get_object().get(fields) != simdjson::SUCCESS) return broken("an object is needed");
        return each_field(fields, read_field) && at_end();
    }
    // The same for an object inside the request.
    template <class ReadField>
    bool object(JsonValue value, ReadField&& read_field) {
        at(value);
        simdjson::ondemand::object fields;
        if (const auto error = value.get_object().get(fields)) return wrong_type(error, "an object");
        return each_field(fields, read_field);
    }
    // Calls read_element(index, value) for each element of the list `field`; errors inside get its path.
    template <class ReadElement>
    bool list(std::string_view field, JsonValue value, ReadElement&& read_element) {
        at(value);
        simdjson::ondemand::array elements;
        if (const auto error = value.get_array().get(elements)) {
            return wrong_type(error, field.ends_with("ttributes")
                                         ? R"(a list of {"key": ..., "value": {...}})"
                                         : "a list") ||
                   in(field);
        }
        std::size_t index = 0;
        for (auto element : elements) {
            JsonValue read;
            if (const auto error = element.get(read)) return broken(error) || in(field, index);
            if (!read_element(index, read)) return in(field, index);
            ++index;
        }
        return true;
    }

    // Scalars; `field` names them in errors. Texts are kept like all texts of the request.
    bool text(std::string_view field, JsonValue value, std::string_view& out);
    bool boolean(std::string_view field, JsonValue value, bool& out);
    bool number(std::string_view field, JsonValue value, double& out);
    bool unsigned64(std::string_view field, JsonValue value, std::uint64_t& out);
    bool signed64(std::string_view field, JsonValue value, std::int64_t& out);
    bool unsigned32(std::string_view field, JsonValue value, std::uint32_t& out);
    bool signed32(std::string_view field, JsonValue value, std::int32_t& out);
    bool enumeration(std::string_view field, JsonValue value, EnumNames names, std::uint32_t& out);
    // A droppedAttributesCount and the like.
    bool dropped(std::string_view field, JsonValue value);

    bool any_value(JsonValue value, RawValue& out);
    bool attributes(std::string_view field, JsonValue value, RawRange& list);
    bool resource(JsonValue value, RawRange& attributes);
    bool scope(JsonValue value, RawScope& scope);

    // For what the caller finds wrong. Always false.
    [[gnu::cold]] bool refuse(std::string what) { return broken(std::move(what)); }
    // Says in which field an error lies, from the inside out; an empty name changes nothing. Always false.
    [[gnu::cold]] bool in(std::string_view field, std::size_t index);
    [[gnu::cold]] bool in(std::string_view field);
    // After something was false.
    Error error() const;

private:
    template <class ReadField>
    bool each_field(simdjson::ondemand::object& fields, ReadField&& read_field) {
        for (auto item : fields) {
            simdjson::ondemand::field field;
            if (const auto error = std::move(item).get(field)) return broken(error);
            JsonValue value = field.value();
            const std::string_view token = value.raw_json_token();
            if (token.starts_with('n')) {  // null is the same as absent
                if (trimmed(token) != "null") return at(value), broken("a word that JSON does not have");
                continue;
            }
            if (!read_field(key_of(field), value)) return false;
        }
        return true;
    }
    bool open();
    bool at_end();
    // The key without its quotes; with escapes it is valid until the next key.
    std::string_view key_of(simdjson::ondemand::field& field) {
        const char* raw = field.key().raw();
        const char* end = raw;
        while (*end != '"' && *end != '\\') ++end;
        if (*end == '"') [[likely]]
            return {raw, static_cast<std::size_t>(end - raw)};
        return escaped_key(raw);
    }
    std::string_view escaped_key(const char* raw);
    static std::string_view trimmed(std::string_view token) {
        const std::size_t last = token.find_last_not_of(" \t\r\n");
        return token.substr(0, last == std::string_view::npos ? 0 : last + 1);
    }
    void at(JsonValue& value) { where_ = value.raw_json_token().data(); }

    // The token of a scalar, and its text if it is a string without escapes (what numbers in strings are).
    std::string_view scalar(JsonValue value);
    // The text of a string value; `scratch` holds it if it had escapes.
    bool string(JsonValue value, std::string_view& out, bool& in_scratch);
    bool integer(std::string_view token, bool& negative, std::uint64_t& magnitude);
    bool bytes(JsonValue value, std::string& raw);
    void mark_repairs(std::string_view text);

    bool write_any(JsonValue value);
    bool write_list(JsonValue array_value);
    bool write_map(JsonValue key_value_list);
    bool write_entry(JsonValue key_value);

    [[gnu::cold]] bool broken(std::string what);
    [[gnu::cold]] bool broken(simdjson::error_code error);
    [[gnu::cold]] bool wrong_type(simdjson::error_code error, std::string_view needed);

    std::string_view body_;
    AttributeLists& lists_;
    ValueJson* json_ = nullptr;  // where write_any() writes
    simdjson::ondemand::parser own_parser_;
    simdjson::ondemand::document document_;
    bool is_open_ = false;
    std::string repaired_body_;
    std::string scratch_, key_scratch_, bytes_;
    const char* where_ = nullptr;
    std::string what_, path_;
};

}  // namespace obs
