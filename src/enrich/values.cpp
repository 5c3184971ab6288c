#include "enrich/values.h"

#include <charconv>
#include <cmath>

#include "base/json_writer.h"

namespace obs {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool equals_ignoring_case(std::string_view text, std::string_view word) {
    if (text.size() != word.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (lower(text[i]) != word[i]) return false;
    return true;
}

std::optional<std::int64_t> whole(double number) {
    if (!(std::fabs(number) <= 9e18) || number != std::floor(number)) return std::nullopt;
    return static_cast<std::int64_t>(number);
}

}  // namespace

bool says_nothing(std::string_view text) {
    if (text.empty()) return true;
    if (text.size() > 15) return false;
    switch (text[0]) {
        case 'n':
        case 'N': return text == "null" || text == "None" || text == "N/A" || text == "n/a";
        case '<': return text == "<not specified>";
        default: return false;
    }
}

std::string_view unquoted(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
    const std::string_view inner = text.substr(1, text.size() - 2);
    return inner.find_first_of("\"\\") == std::string_view::npos ? inner : text;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::string lower_ascii_copy(std::string_view text) {
    std::string copy(text);
    for (char& c : copy) c = lower(c);
    return copy;
}

std::optional<double> number_of(std::string_view text) {
    text = trimmed(unquoted(trimmed(text)));
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number))
        return std::nullopt;
    return number;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
    text = trimmed(unquoted(trimmed(text)));
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (!text.empty() && error == std::errc{} && end == text.data() + text.size()) return number;
    const std::optional<double> fraction = number_of(text);
    return fraction ? whole(*fraction) : std::nullopt;
}

std::optional<std::int64_t> integer_of(const RawValue& value) {
    switch (value.type) {
        case AttributeType::integer: return value.integer;
        case AttributeType::number: return whole(value.number);
        case AttributeType::text: return integer_of(value.text());
        case AttributeType::json: return integer_of(first_of_list(value.text()));
        default: return std::nullopt;
    }
}

std::optional<double> number_of(const RawValue& value) {
    switch (value.type) {
        case AttributeType::integer: return static_cast<double>(value.integer);
        case AttributeType::number:
            return std::isfinite(value.number) ? std::optional(value.number) : std::nullopt;
        case AttributeType::text: return number_of(value.text());
        case AttributeType::json: return number_of(first_of_list(value.text()));
        default: return std::nullopt;
    }
}

std::optional<bool> boolean_of(const RawValue& value) {
    if (value.type == AttributeType::boolean) return value.boolean;
    if (value.type == AttributeType::integer) return value.integer != 0;
    if (value.type != AttributeType::text) return std::nullopt;
    const std::string_view text = unquoted(value.text());
    if (text == "1" || equals_ignoring_case(text, "true")) return true;
    if (text == "0" || equals_ignoring_case(text, "false")) return false;
    return std::nullopt;
}

std::string_view text_of(const RawValue& value, std::string& scratch) {
    scratch.clear();
    char digits[24];
    switch (value.type) {
        case AttributeType::text:
        case AttributeType::json:
        case AttributeType::bytes: return value.text();
        case AttributeType::integer:
            scratch.assign(digits, std::to_chars(digits, digits + sizeof digits, value.integer).ptr);
            return scratch;
        case AttributeType::number: append_json_number(scratch, value.number); return scratch;
        case AttributeType::boolean: return value.boolean ? "true" : "false";
        case AttributeType::empty: return "null";
    }
    return {};
}

std::string_view first_of_list(std::string_view text) {
    text = trimmed(text);
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
        text = trimmed(text.substr(1, text.size() - 2));
        if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
            const std::size_t end = text.find(text.front(), 1);
            if (end != std::string_view::npos) return text.substr(1, end - 1);
        }
    }
    return trimmed(unquoted(trimmed(text.substr(0, text.find(',')))));
}

bool has_several(std::string_view text) {
    return text.find(',') != std::string_view::npos;
}

}  // namespace obs
