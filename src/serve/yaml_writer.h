// Writes YAML in block style into one string, with the calls of JsonWriter. Text is always quoted, so that
// nothing is taken for a number or a date.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"

namespace obs::serve {

class YamlWriter {
public:
    // The document is an object that is there from the beginning.
    explicit YamlWriter(std::string& out) : out_(out) { levels_.push_back({Kind::object, 0, true}); }

    YamlWriter& key(std::string_view name) {
        begin_line();
        if (plain(name))
            out_ += name;
        else
            append_json_string(out_, name);
        out_ += ':';
        return *this;
    }
    YamlWriter& begin_object() { return begin(Kind::object); }
    YamlWriter& begin_array() { return begin(Kind::array); }
    YamlWriter& end_object() { return end(" {}"); }
    YamlWriter& end_array() { return end(" []"); }

    YamlWriter& value(std::string_view text) {
        before_value();
        append_json_string(out_, text);
        return *this;
    }
    YamlWriter& value(const char* text) { return value(std::string_view(text)); }
    YamlWriter& value(const std::string& text) { return value(std::string_view(text)); }
    YamlWriter& value(bool flag) { return word(flag ? "true" : "false"); }
    YamlWriter& value(int number) { return word(std::to_string(number)); }
    YamlWriter& value(double number) {
        // `1e+18`, as JSON may write it, would be text here.
        if (number == std::floor(number) && std::abs(number) < 9e18)
            return word(std::to_string(static_cast<std::int64_t>(number)));
        before_value();
        append_json_number(out_, number);
        return *this;
    }
    template <class T>
    YamlWriter& field(std::string_view name, const T& content) {
        key(name);
        return value(content);
    }

    // Lines of YAML as members of the present object.
    YamlWriter& lines(std::string_view text) {
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            if (end > 0) {
                begin_line();
                out_ += text.substr(0, end);
            }
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        return *this;
    }

private:
    enum class Kind : std::uint8_t { object, array };
    struct Level {
        Kind kind;
        std::size_t indent;
        bool empty;
    };

    static bool plain(std::string_view name) {
        const auto letter = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        };
        const auto digit = [](char c) { return c >= '0' && c <= '9'; };
        constexpr std::string_view words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
        return !name.empty() && letter(name.front()) && std::ranges::find(words, name) == std::end(words) &&
               std::ranges::all_of(name, [&](char c) { return letter(c) || digit(c); });
    }

    void begin_line() {
        Level& level = levels_.back();
        if (behind_dash_) {
            out_ += ' ';
        } else {
            if (!out_.empty()) out_ += '\n';
            out_.append(level.indent, ' ');
        }
        behind_dash_ = false;
        level.empty = false;
    }
    void before_value() {
        if (levels_.back().kind == Kind::array) {
            begin_line();
            out_ += '-';
        }
        out_ += ' ';
    }
    YamlWriter& word(std::string_view text) {
        before_value();
        out_ += text;
        return *this;
    }
    YamlWriter& begin(Kind kind) {
        const Level outer = levels_.back();
        if (outer.kind == Kind::array) {
            begin_line();
            out_ += '-';
            behind_dash_ = true;
        }
        levels_.push_back({kind, outer.indent + 2, true});
        return *this;
    }
    YamlWriter& end(std::string_view nothing) {
        if (levels_.back().empty) {
            out_ += nothing;
            behind_dash_ = false;
        }
        levels_.pop_back();
        return *this;
    }

    std::string& out_;
    std::vector<Level> levels_;
    bool behind_dash_ = false;  // an item's object begins on the line of its dash
};

}  // namespace obs::serve
