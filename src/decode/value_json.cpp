#include "decode/value_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/json_writer.h"
#include "base/utf8.h"
#include "decode/text_check.h"
#include "model/schema.h"

namespace obs {

namespace {
constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// 0-63, or 255 for what is no digit.
constexpr std::array<std::uint8_t, 256> base64_values = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(255);
    for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(base64_digits[i])] = i;
    values['-'] = 62;
    values['_'] = 63;
    return values;
}();
}  // namespace

void append_base64(std::string& out, std::string_view raw) {
    const std::size_t begin = out.size();
    out.resize(begin + (raw.size() + 2) / 3 * 4, '=');
    char* to = out.data() + begin;
    const auto byte = [&](std::size_t i) -> std::uint32_t {
        return i < raw.size() ? static_cast<unsigned char>(raw[i]) : 0;
    };
    for (std::size_t i = 0; i < raw.size(); i += 3, to += 4) {
        const std::uint32_t word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        to[0] = base64_digits[word >> 18];
        to[1] = base64_digits[word >> 12 & 63];
        if (i + 1 < raw.size()) to[2] = base64_digits[word >> 6 & 63];
        if (i + 2 < raw.size()) to[3] = base64_digits[word & 63];
    }
}

bool read_base64(std::string_view text, std::string& out) {
    out.clear();
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    if (text.size() % 4 == 1) return false;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t word = 0;
    int bits = 0;
    for (const char c : text) {
        const std::uint8_t value = base64_values[static_cast<unsigned char>(c)];
        if (value == 255) return false;
        word = word << 6 | value;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        out += static_cast<char>(word >> bits & 0xff);
    }
    return true;
}

std::string_view double_text(double value, char (&room)[32]) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return {room, std::to_chars(room, room + sizeof room, value).ptr};
}

bool ValueJson::begin_value() {
    if (full_) {
        flags_ |= flag_value_truncated;
        return false;
    }
    if (open_.empty()) return true;
    if (out_[open_.back().begin] == '{') {
        entries_.back().has_value = true;
    } else if (out_.size() > open_.back().begin + 1) {
        out_ += ',';
    }
    return true;
}

void ValueJson::end_value() {
    full_ = out_.size() >= limit_;
}

void ValueJson::scalar(std::string_view json) {
    if (!begin_value()) return;
    out_ += json;
    end_value();
}

bool ValueJson::begin(char bracket) {
    if (!begin_value()) return false;
    if (open_.size() >= depth_) {
        flags_ |= flag_attributes_cut;
        append_json_string(out_, depth_mark);
        end_value();
        return false;
    }
    open_.push_back({entries_.size(), out_.size()});
    out_ += bracket;
    return true;
}

void ValueJson::end_list() {
    out_ += ']';
    open_.pop_back();
}

void ValueJson::end_map() {
    const Container map = open_.back();
    open_.pop_back();
    drop_repeated_keys(map.first_entry);
    entries_.resize(map.first_entry);
    out_ += '}';
}

bool ValueJson::begin_entry() {
    if (full_) {
        flags_ |= flag_value_truncated;
        return false;
    }
    if (out_.size() > open_.back().begin + 1) out_ += ',';
    entries_.push_back({out_.size(), 0, false});
    return true;
}

void ValueJson::key(std::string_view key) {
    Entry& entry = entries_.back();
    if (key.size() > limit_) {
        key = utf8_prefix(key, limit_);
        flags_ |= flag_value_truncated;
    }
    if (!is_text(key)) flags_ |= flag_invalid_utf8;
    if (!entry.has_value) [[likely]] {
        append_json_string(out_, key);
        entry.key_size = out_.size() - entry.begin;
        out_ += ':';
        return;
    }
    std::string text;
    append_json_string(text, key);
    entry.key_size = text.size();
    text += ':';
    out_.insert(entry.begin, text);
}

void ValueJson::end_entry() {
    if (entries_.back().key_size == 0) key({});
    if (!entries_.back().has_value) {
        entries_.back().has_value = true;
        out_ += "null";
    }
    end_value();
}

void ValueJson::text(std::string_view text) {
    if (!begin_value()) return;
    const std::size_t room = limit_ > out_.size() ? limit_ - out_.size() : 0;
    if (text.size() > room) {
        text = utf8_prefix(text, room);
        flags_ |= flag_value_truncated;
    }
    if (!is_text(text)) flags_ |= flag_invalid_utf8;
    append_json_string(out_, text);
    end_value();
}

void ValueJson::bytes(std::string_view raw) {
    if (!begin_value()) return;
    const std::size_t room = limit_ > out_.size() ? (limit_ - out_.size()) / 4 * 3 : 0;
    if (raw.size() > room) {
        raw = raw.substr(0, room);
        flags_ |= flag_value_truncated;
    }
    out_ += '"';
    append_base64(out_, raw);
    out_ += '"';
    end_value();
}

void ValueJson::integer(std::int64_t value) {
    char digits[24];
    scalar({digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
}

void ValueJson::number(double value) {
    char room[32];
    const std::string_view digits = double_text(value, room);
    if (std::isfinite(value)) {
        scalar(digits);
    } else {
        text(digits);
    }
}

void ValueJson::drop_repeated_keys(std::size_t first_entry) {
    const std::size_t count = entries_.size() - first_entry;
    if (count < 2) return;
    const auto key = [&](std::size_t i) {
        const Entry& entry = entries_[first_entry + i];
        return std::string_view(out_).substr(entry.begin, entry.key_size);
    };
    order_.resize(count);
    for (std::size_t i = 0; i < count; ++i) order_[i] = i;
    std::ranges::sort(order_, [&](std::size_t a, std::size_t b) {
        const int order = key(a).compare(key(b));
        return order != 0 ? order < 0 : a < b;
    });
    std::vector<bool> repeated;
    for (std::size_t i = 0; i + 1 < count; ++i) {
        if (key(order_[i]) != key(order_[i + 1])) continue;
        repeated.resize(count);
        repeated[order_[i]] = true;
    }
    if (repeated.empty()) return;
    std::string kept;
    for (std::size_t i = 0; i < count; ++i) {
        if (repeated[i]) continue;
        const std::size_t begin = entries_[first_entry + i].begin;
        const std::size_t end = i + 1 < count ? entries_[first_entry + i + 1].begin - 1 : out_.size();
        if (!kept.empty()) kept += ',';
        kept.append(out_, begin, end - begin);
    }
    out_.resize(entries_[first_entry].begin);
    out_ += kept;
}

}  // namespace obs
