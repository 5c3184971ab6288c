// Writes lists and maps of attributes as canonical JSON, the same text for both encodings: keys in the order
// in which they came, of a key that comes twice the last one; integers whole, doubles in their shortest form,
// NaN and infinities as the texts "NaN", "Infinity", "-Infinity", bytes as base64, the empty value as null.
//
// What is over a limit is left out or cut so that the text stays valid JSON, and flags() says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace obs {

// Appends standard base64 with padding.
void append_base64(std::string& out, std::string_view raw);
// Reads standard and URL-safe base64, padded or not; false if it is neither.
bool read_base64(std::string_view text, std::string& out);
// "NaN", "Infinity" and "-Infinity", else the shortest decimal number that reads back as the same.
std::string_view double_text(double value, char (&room)[32]);

class ValueJson {
public:
    // What stands where lists and maps are nested too deep.
    static constexpr std::string_view depth_mark = "[nested too deep]";

    ValueJson(std::size_t limit, std::size_t depth) : limit_(limit), depth_(depth) {}

    void reset() {
        out_.clear();
        entries_.clear();
        open_.clear();
        full_ = false;
        flags_ = 0;
    }

    // False: this container is left out (a mark stands for it, or the text is full). Then neither its content
    // nor its end may be written.
    bool begin_list() { return begin('['); }
    void end_list();
    bool begin_map() { return begin('{'); }
    void end_map();
    // An entry of a map: key() at most once, before or behind the value; without either there is
    // an empty key or an empty value. False: the text is full, leave the entry out.
    bool begin_entry();
    void key(std::string_view key);
    void end_entry();

    void text(std::string_view text);  // invalid UTF-8 is replaced
    void integer(std::int64_t value);
    void number(double value);
    void boolean(bool value) { scalar(value ? "true" : "false"); }
    void bytes(std::string_view raw);
    void empty() { scalar("null"); }
    void raw(std::string_view json) { scalar(json); }  // canonical JSON already

    std::string_view view() const { return out_; }
    std::uint32_t flags() const { return flags_; }  // RowFlag bits

private:
    struct Entry {
        std::size_t begin;     // of the key's opening quote
        std::size_t key_size;  // with its quotes; 0 while there is no key
        bool has_value;
    };
    struct Container {
        std::size_t first_entry;
        std::size_t begin;
    };

    bool begin(char bracket);
    // Places the comma; false if the text is full.
    bool begin_value();
    void end_value();
    void scalar(std::string_view json);
    void drop_repeated_keys(std::size_t first_entry);

    std::string out_;
    std::vector<Entry> entries_;
    std::vector<Container> open_;
    std::vector<std::size_t> order_;  // scratch of drop_repeated_keys
    std::size_t limit_, depth_;
    std::uint32_t flags_ = 0;
    bool full_ = false;
};

}  // namespace obs
