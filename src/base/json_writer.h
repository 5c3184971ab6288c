// Writes JSON into one string: no tree, no allocation but the string's own. Commas are placed by the writer.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/money.h"

namespace obs {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 are written as U+FFFD.
void append_json_string(std::string& out, std::string_view text);
// Shortest text that reads back as the same number; NaN and infinities as null.
void append_json_number(std::string& out, double value);
// Nano-dollars as a decimal number of dollars with at most nine digits after the point: 600000 -> 0.0006.
void append_json_usd(std::string& out, Usd amount);

class JsonWriter {
public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }
    JsonWriter& key(std::string_view name) {
        comma();
        append_json_string(out_, name);
        out_ += ':';
        fresh_ = true;
        return *this;
    }
    JsonWriter& value(std::string_view text) {
        comma();
        append_json_string(out_, text);
        return *this;
    }
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
    JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
    JsonWriter& value(double number) {
        comma();
        append_json_number(out_, number);
        return *this;
    }
    JsonWriter& value(std::int64_t number) { return integer(number); }
    JsonWriter& value(std::uint64_t number) { return integer(number); }
    JsonWriter& value(int number) { return integer(number); }
    JsonWriter& value(unsigned number) { return integer(number); }
    JsonWriter& value(Usd amount) {
        comma();
        append_json_usd(out_, amount);
        return *this;
    }
    JsonWriter& null() { return raw("null"); }
    // Text that is JSON already.
    JsonWriter& raw(std::string_view json) {
        comma();
        out_ += json;
        return *this;
    }
    template <class T>
    JsonWriter& field(std::string_view name, const T& content) {
        key(name);
        return value(content);
    }

private:
    JsonWriter& open(char c) {
        comma();
        out_ += c;
        fresh_ = true;
        return *this;
    }
    JsonWriter& close(char c) {
        out_ += c;
        fresh_ = false;
        return *this;
    }
    void comma() {
        if (!fresh_) out_ += ',';
        fresh_ = false;
    }
    template <class T>
    JsonWriter& integer(T number) {
        comma();
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        out_.append(digits, end);
        return *this;
    }

    std::string& out_;
    bool fresh_ = true;  // nothing stands before the next value in its container
};

}  // namespace obs
