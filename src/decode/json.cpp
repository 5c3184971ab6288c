#include "decode/json.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "base/buffer.h"
#include "base/utf8.h"

namespace obs {

namespace {

// A parser has room for what it has seen, so that one is kept per thread for bodies of a usual size.
constexpr std::size_t usual_body = 4 << 20;
thread_local simdjson::ondemand::parser usual_parser;

constexpr std::string_view replacement = "\xef\xbf\xbd";

void append_utf8(std::string& out, std::uint32_t code) {
    const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xc0 | code >> 6);
        byte(0x80 | (code & 63));
    } else if (code < 0x10000) {
        byte(0xe0 | code >> 12);
        byte(0x80 | (code >> 6 & 63));
        byte(0x80 | (code & 63));
    } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 63));
        byte(0x80 | (code >> 6 & 63));
        byte(0x80 | (code & 63));
    }
}

// The four digits at the front of `text`, or nothing.
std::optional<std::uint32_t> four_hex_digits(std::string_view text) {
    std::uint32_t code = 0;
    if (text.size() < 4) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 4, code, 16);
    if (error != std::errc() || end != text.data() + 4) return std::nullopt;
    return code;
}

enum class Unescaped { well, with_repairs, not_at_all };

// Reads what follows \u at `text` and moves past it. Half a pair of surrogates, which programs that cut texts
// produce, becomes U+FFFD.
Unescaped read_code(std::string_view& text, std::string& out) {
    const auto code = four_hex_digits(text);
    if (!code) return Unescaped::not_at_all;
    text.remove_prefix(4);
    if (*code < 0xd800 || *code > 0xdfff) {
        append_utf8(out, *code);
        return Unescaped::well;
    }
    if (*code < 0xdc00 && text.starts_with("\\u")) {
        const auto low = four_hex_digits(text.substr(2));
        if (low && *low >= 0xdc00 && *low <= 0xdfff) {
            append_utf8(out, 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00));
            text.remove_prefix(6);
            return Unescaped::well;
        }
    }
    out += replacement;
    return Unescaped::with_repairs;
}

Unescaped unescape(std::string_view text, std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    Unescaped result = Unescaped::well;
    out.clear();
    out.reserve(text.size());
    while (true) {
        const std::size_t next = text.find('\\');
        out += text.substr(0, next);
        if (next == std::string_view::npos) return result;
        text.remove_prefix(next + 1);
        if (text.empty()) return Unescaped::not_at_all;
        const char letter = text.front();
        text.remove_prefix(1);
        if (letter == 'u') {
            const Unescaped read = read_code(text, out);
            if (read == Unescaped::not_at_all) return read;
            result = std::max(result, read);
        } else if (const std::size_t known = letters.find(letter); known != std::string_view::npos) {
            out += meanings[known];
        } else {
            return Unescaped::not_at_all;
        }
    }
}

}  // namespace

bool JsonReader::open() {
    if (body_.starts_with("\xef\xbb\xbf")) body_.remove_prefix(3);
    where_ = body_.data();
    auto& parser = body_.size() <= usual_body ? usual_parser : own_parser_;
    const auto iterate = [&] {
        return parser.iterate(body_.data(), body_.size(), body_.size() + Buffer::padding).get(document_);
    };
    auto error = iterate();
    if (error == simdjson::UTF8_ERROR) {
        repaired_body_ = to_utf8(body_);
        const std::size_t size = repaired_body_.size();
        repaired_body_.resize(size + Buffer::padding);
        body_ = lists_.keep(repaired_body_).substr(0, size);
        error = simdjson::SUCCESS;
        // The parser that fits the longer text.
        if (size > usual_body) {
            error = own_parser_.iterate(body_.data(), size, size + Buffer::padding).get(document_);
        } else {
            error = iterate();
        }
    }
    is_open_ = error == simdjson::SUCCESS;
    return is_open_ || broken(error);
}

bool JsonReader::at_end() {
    const char* location = nullptr;
    if (document_.current_location().get(location) == simdjson::OUT_OF_BOUNDS) return true;
    where_ = location == nullptr ? body_.data() + body_.size() : location;
    return broken("more text behind the end of the request");
}

std::string_view JsonReader::escaped_key(const char* raw) {
    const char* end = raw;
    for (; *end != '"'; ++end)
        if (*end == '\\') ++end;
    // A key that cannot be read is a key that nobody knows.
    if (unescape({raw, static_cast<std::size_t>(end - raw)}, key_scratch_) == Unescaped::not_at_all)
        key_scratch_.clear();
    return key_scratch_;
}

std::string_view JsonReader::scalar(JsonValue value) {
    const std::string_view token = trimmed(value.raw_json_token());
    where_ = token.data();
    if (token.size() >= 2 && token.front() == '"' && token.back() == '"')
        return token.substr(1, token.size() - 2);
    return token;
}

void JsonReader::mark_repairs(std::string_view text) {
    if (repaired_body_.empty()) [[likely]]
        return;
    if (text.find(replacement) != std::string_view::npos) lists_.raise(flag_invalid_utf8);
}

bool JsonReader::string(JsonValue value, std::string_view& out, bool& in_scratch) {
    const std::string_view token = trimmed(value.raw_json_token());
    where_ = token.data();
    if (token.size() < 2 || token.front() != '"' || token.back() != '"') return broken("a text is needed");
    out = token.substr(1, token.size() - 2);
    in_scratch = std::memchr(out.data(), '\\', out.size()) != nullptr;
    if (in_scratch) {
        const Unescaped result = unescape(out, scratch_);
        if (result == Unescaped::not_at_all) return broken("an escape sequence that JSON does not have");
        if (result == Unescaped::with_repairs) lists_.raise(flag_invalid_utf8);
        out = scratch_;
    }
    mark_repairs(out);
    return true;
}

bool JsonReader::text(std::string_view field, JsonValue value, std::string_view& out) {
    bool in_scratch = false;
    if (!string(value, out, in_scratch)) return in(field);
    out = in_scratch ? lists_.kept_text(out) : lists_.text(out);
    return true;
}

bool JsonReader::boolean(std::string_view field, JsonValue value, bool& out) {
    const std::string_view token = trimmed(value.raw_json_token());
    where_ = token.data();
    out = token == "true";
    return out || token == "false" || broken("true or false is needed") || in(field);
}

bool JsonReader::number(std::string_view field, JsonValue value, double& out) {
    const std::string_view token = scalar(value);
    if (token == "NaN") return out = std::numeric_limits<double>::quiet_NaN(), true;
    if (token == "Infinity") return out = std::numeric_limits<double>::infinity(), true;
    if (token == "-Infinity") return out = -std::numeric_limits<double>::infinity(), true;
    const std::size_t first = token.starts_with('-') ? 1 : 0;
    const bool begins_well = first < token.size() && token[first] >= '0' && token[first] <= '9';
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), out);
    if (begins_well && error == std::errc() && end == token.data() + token.size()) return true;
    return broken("a number is needed") || in(field);
}

// Whole numbers in any spelling that JSON has for them (12, 12.0, 1.2e1), exactly: not by way of a double.
bool JsonReader::integer(std::string_view token, bool& negative, std::uint64_t& magnitude) {
    const char* at = token.data();
    const char* const end = at + token.size();
    negative = at < end && *at == '-';
    if (negative) ++at;
    const auto is_digit = [&] { return at < end && *at >= '0' && *at <= '9'; };
    if (!is_digit()) return broken("a whole number is needed");
    magnitude = 0;
    std::int64_t zeros = 0;     // digits 0 at the end that are not in `magnitude` yet
    std::int64_t exponent = 0;  // of the last digit that was read
    bool too_large = false;
    const auto times = [&](std::uint64_t factor, std::uint64_t add) {
        too_large |= __builtin_mul_overflow(magnitude, factor, &magnitude);
        too_large |= __builtin_add_overflow(magnitude, add, &magnitude);
    };
    const auto digits = [&] {
        for (; is_digit(); ++at) {
            if (*at == '0') {
                ++zeros;
                continue;
            }
            for (; zeros > 0 && !too_large; --zeros) times(10, 0);
            times(10, static_cast<std::uint64_t>(*at - '0'));
        }
    };
    digits();
    if (at < end && *at == '.') {
        const char* const point = ++at;
        digits();
        exponent = point - at;
        if (exponent == 0) return broken("a whole number is needed");
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        ++at;
        if (at < end && *at == '+') ++at;
        std::int32_t sent = 0;
        const auto [after, error] = std::from_chars(at, end, sent);
        if (error != std::errc()) return broken("a whole number is needed");
        at = after;
        exponent += sent;
    }
    if (at != end) return broken("a whole number is needed");
    if (magnitude == 0 && !too_large) return true;
    exponent += zeros;
    if (exponent < 0) return broken("a whole number is needed");
    for (; exponent > 0 && !too_large; --exponent) times(10, 0);
    return !too_large || broken("a number that is too large");
}

bool JsonReader::unsigned64(std::string_view field, JsonValue value, std::uint64_t& out) {
    bool negative = false;
    if (!integer(scalar(value), negative, out)) return in(field);
    return !negative || out == 0 || broken("a number that must not be negative") || in(field);
}

bool JsonReader::signed64(std::string_view field, JsonValue value, std::int64_t& out) {
    bool negative = false;
    std::uint64_t magnitude = 0;
    if (!integer(scalar(value), negative, magnitude)) return in(field);
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    if (magnitude > most + (negative ? 1 : 0)) return broken("a number that is too large") || in(field);
    out = static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
    return true;
}

bool JsonReader::unsigned32(std::string_view field, JsonValue value, std::uint32_t& out) {
    std::uint64_t wide = 0;
    if (!unsigned64(field, value, wide)) return false;
    out = static_cast<std::uint32_t>(wide);
    return out == wide || broken("a number that is too large") || in(field);
}

bool JsonReader::signed32(std::string_view field, JsonValue value, std::int32_t& out) {
    std::int64_t wide = 0;
    if (!signed64(field, value, wide)) return false;
    out = static_cast<std::int32_t>(wide);
    return out == wide || broken("a number that is too large") || in(field);
}

bool JsonReader::enumeration(std::string_view field, JsonValue value, EnumNames names, std::uint32_t& out) {
    const auto known = std::ranges::find(names, scalar(value));
    if (known != names.end()) {
        out = static_cast<std::uint32_t>(known - names.begin());
        return true;
    }
    std::int32_t number = 0;
    if (!signed32(field, value, number)) return false;
    out = static_cast<std::uint32_t>(number);
    return true;
}

bool JsonReader::dropped(std::string_view field, JsonValue value) {
    std::uint32_t count = 0;
    if (!unsigned32(field, value, count)) return false;
    if (count != 0) lists_.raise(flag_attributes_dropped);
    return true;
}

bool JsonReader::bytes(JsonValue value, std::string& raw) {
    std::string_view encoded;
    bool in_scratch = false;
    return string(value, encoded, in_scratch) && (read_base64(encoded, raw) || broken("base64 is needed"));
}

bool JsonReader::any_value(JsonValue value, RawValue& out) {
    bool seen = false;
    return object(value, [&](std::string_view key, JsonValue content) {
        const bool known = key.ends_with("Value");
        if (known && std::exchange(seen, true)) return broken("more than one value") || in(key);
        if (key == "stringValue") {
            std::string_view text_value;
            if (!text(key, content, text_value)) return false;
            out = RawValue::of_text(text_value);
        } else if (key == "intValue") {
            std::int64_t integer_value = 0;
            if (!signed64(key, content, integer_value)) return false;
            out = RawValue::of_integer(integer_value);
        } else if (key == "boolValue") {
            bool boolean_value = false;
            if (!boolean(key, content, boolean_value)) return false;
            out = RawValue::of_boolean(boolean_value);
        } else if (key == "doubleValue") {
            double number_value = 0;
            if (!number(key, content, number_value)) return false;
            out = RawValue::of_number(number_value);
        } else if (key == "bytesValue") {
            if (!bytes(content, bytes_)) return in(key);
            out = lists_.bytes(bytes_);
        } else if (key == "arrayValue" || key == "kvlistValue") {
            json_ = &lists_.reset_json();
            if (!(key == "arrayValue" ? write_list(content) : write_map(content))) return in(key);
            out = lists_.take_json();
        }
        return true;
    });
}

// The recursion through write_any() ends where the writer begins no further list or map.
bool JsonReader::write_any(JsonValue value) {
    bool seen = false;
    const bool read = object(value, [&](std::string_view key, JsonValue content) {
        if (key.ends_with("Value") && std::exchange(seen, true))
            return broken("more than one value") || in(key);
        if (key == "stringValue") {
            std::string_view text_value;
            bool in_scratch = false;
            if (!string(content, text_value, in_scratch)) return in(key);
            json_->text(text_value);
        } else if (key == "intValue") {
            std::int64_t integer_value = 0;
            if (!signed64(key, content, integer_value)) return false;
            json_->integer(integer_value);
        } else if (key == "boolValue") {
            bool boolean_value = false;
            if (!boolean(key, content, boolean_value)) return false;
            json_->boolean(boolean_value);
        } else if (key == "doubleValue") {
            double number_value = 0;
            if (!number(key, content, number_value)) return false;
            json_->number(number_value);
        } else if (key == "bytesValue") {
            if (!bytes(content, bytes_)) return in(key);
            json_->bytes(bytes_);
        } else if (key == "arrayValue") {
            return write_list(content) || in(key);
        } else if (key == "kvlistValue") {
            return write_map(content) || in(key);
        } else if (key.ends_with("Value")) {
            seen = false;  // a kind of value that we do not know
        }
        return true;
    });
    if (read && !seen) json_->empty();
    return read;
}

bool JsonReader::write_list(JsonValue array_value) {
    if (!json_->begin_list()) return true;
    const bool read = object(array_value, [&](std::string_view key, JsonValue values) {
        if (key != "values") return true;
        return list(key, values, [&](std::size_t, JsonValue element) { return write_any(element); });
    });
    if (read) json_->end_list();
    return read;
}

bool JsonReader::write_map(JsonValue key_value_list) {
    if (!json_->begin_map()) return true;
    const bool read = object(key_value_list, [&](std::string_view key, JsonValue values) {
        if (key != "values") return true;
        return list(key, values, [&](std::size_t, JsonValue element) { return write_entry(element); });
    });
    if (read) json_->end_map();
    return read;
}

bool JsonReader::write_entry(JsonValue key_value) {
    if (!json_->begin_entry()) return true;
    bool seen = false, has_key = false;
    const bool read = object(key_value, [&](std::string_view key, JsonValue content) {
        if (key == "key") {
            std::string_view text_value;
            bool in_scratch = false;
            if (std::exchange(has_key, true)) return broken("more than one key") || in(key);
            if (!string(content, text_value, in_scratch)) return in(key);
            json_->key(text_value);
        } else if (key == "value") {
            if (std::exchange(seen, true)) return broken("more than one value") || in(key);
            return write_any(content) || in(key);
        }
        return true;
    });
    if (read) json_->end_entry();
    return read;
}

bool JsonReader::attributes(std::string_view field, JsonValue value, RawRange& list) {
    return this->list(field, value, [&](std::size_t, JsonValue element) {
        if (!lists_.has_room(list)) return true;
        std::string_view key;
        RawValue read;
        const bool well = object(element, [&](std::string_view name, JsonValue content) {
            if (name == "key") return text(name, content, key);
            if (name == "value") return any_value(content, read) || in(name);
            return true;
        });
        if (well) lists_.add(list, key) = read;
        return well;
    });
}

bool JsonReader::resource(JsonValue value, RawRange& list) {
    return object(value, [&](std::string_view key, JsonValue content) {
        if (key == "attributes") return attributes(key, content, list);
        if (key == "droppedAttributesCount") return dropped(key, content);
        return true;
    });
}

bool JsonReader::scope(JsonValue value, RawScope& scope) {
    return object(value, [&](std::string_view key, JsonValue content) {
        if (key == "name") return text(key, content, scope.name);
        if (key == "version") return text(key, content, scope.version);
        if (key == "attributes") return attributes(key, content, scope.attributes);
        if (key == "droppedAttributesCount") return dropped(key, content);
        return true;
    });
}

bool JsonReader::broken(std::string what) {
    what_ = std::move(what);
    return false;
}

bool JsonReader::broken(simdjson::error_code error) {
    const char* location = nullptr;
    if (is_open_ && document_.current_location().get(location) == simdjson::SUCCESS && location != nullptr)
        where_ = location;
    switch (error) {
        case simdjson::UNESCAPED_CHARS: return broken("a control character inside a text");
        case simdjson::UNCLOSED_STRING: return broken("a text that does not end");
        case simdjson::EMPTY: return broken("nothing there");
        case simdjson::CAPACITY:
        case simdjson::MEMALLOC: return broken("too long to be read");
        default: return broken("no JSON from here on");
    }
}

bool JsonReader::wrong_type(simdjson::error_code error, std::string_view needed) {
    if (error != simdjson::INCORRECT_TYPE) return broken(error);
    return broken(fmt::format("{} is needed", needed));
}

bool JsonReader::in(std::string_view field, std::size_t index) {
    return in(fmt::format("{}[{}]", field, index));
}

bool JsonReader::in(std::string_view field) {
    if (field.empty()) return false;
    if (path_.empty()) {
        path_ = field;
    } else {
        path_ = fmt::format("{}.{}", field, path_);
    }
    return false;
}

Error JsonReader::error() const {
    const std::string_view request = "the request is no OTLP JSON";
    const auto byte =
        std::clamp<std::ptrdiff_t>(where_ - body_.data(), 0, static_cast<std::ptrdiff_t>(body_.size()));
    if (path_.empty())
        return {ErrorKind::invalid_input, fmt::format("{}: byte {}: {}", request, byte, what_), {}};
    return {ErrorKind::invalid_input, fmt::format("{}: byte {}, in {}: {}", request, byte, path_, what_),
            path_};
}

}  // namespace obs
