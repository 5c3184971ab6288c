#include "base/json_writer.h"

#include <array>

#include "base/utf8.h"

namespace obs {

namespace {

// For each byte: 0 = copy as it is, 'u' = \u00XX, otherwise the letter after the backslash.
constexpr std::array<char, 256> escapes = [] {
    std::array<char, 256> table{};
    for (int c = 0; c < 0x20; ++c) table[c] = 'u';
    table['"'] = '"';
    table['\\'] = '\\';
    table['\b'] = 'b';
    table['\f'] = 'f';
    table['\n'] = 'n';
    table['\r'] = 'r';
    table['\t'] = 't';
    table[0x7f] = 'u';
    return table;
}();

void append_escaped(std::string& out, std::string_view text) {
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char escape = escapes[static_cast<unsigned char>(text[i])];
        if (escape == 0) [[likely]]
            continue;
        out.append(text, copied, i - copied);
        copied = i + 1;
        out += '\\';
        out += escape;
        if (escape == 'u') {
            constexpr char digits[] = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(text[i]);
            out += {'0', '0', digits[byte >> 4], digits[byte & 15]};
        }
    }
    out.append(text, copied);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    if (is_utf8(text)) [[likely]] {
        append_escaped(out, text);
    } else {
        append_escaped(out, to_utf8(text));
    }
    out += '"';
}

void append_json_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += "null";
        return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, end);
}

void append_json_usd(std::string& out, Usd amount) {
    const bool negative = amount.nanos < 0;
    const std::uint64_t nanos =
        negative ? 0 - static_cast<std::uint64_t>(amount.nanos) : static_cast<std::uint64_t>(amount.nanos);
    if (negative) out += '-';
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, nanos / 1'000'000'000).ptr);
    std::uint64_t rest = nanos % 1'000'000'000;
    if (rest == 0) return;
    char fraction[9];
    for (int i = 8; i >= 0; --i, rest /= 10) fraction[i] = static_cast<char>('0' + rest % 10);
    std::string_view shown(fraction, 9);
    shown.remove_suffix(9 - 1 - shown.find_last_not_of('0'));
    out += '.';
    out += shown;
}

}  // namespace obs
