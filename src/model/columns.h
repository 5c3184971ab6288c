// The kinds of columns a batch is made of. Row i of a batch is element i of every column.
//
// Columns grow row by row: put(row, value) fills the rows skipped since the last put with the default (empty
// text, zero, missing). A column may be shorter than its batch; the rows behind its end read as the default
// too, so a column that nobody touched costs nothing anywhere: not in memory, not in the journal, not in the
// store.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "base/money.h"
#include "base/time.h"

namespace obs {

// Room for the rows of a usual request at once, instead of growing to them one doubling after the other.
template <class Element>
void begin_column(std::vector<Element>& values) {
    if (values.capacity() == 0) values.reserve(32);
}

// Appends each number as `changed` gives it. Grows by doubling: a reserve() of what is needed would copy all
// rows again for every request that is gathered.
template <class Changed>
void append_each(std::vector<std::uint32_t>& to, const std::vector<std::uint32_t>& from, Changed changed) {
    const std::size_t first = to.size();
    to.resize(first + from.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[first + i] = changed(from[i]);
}

// Plain values of one width.
template <class T>
class Fixed {
public:
    using Element = T;
    void put(std::size_t row, T value) {
        assert(row >= values_.size());
        begin_column(values_);
        values_.resize(row);
        values_.push_back(value);
    }
    // Writes a row that was put before.
    void set(std::size_t row, T value) {
        if (row >= values_.size()) values_.resize(row + 1);
        values_[row] = value;
    }
    T operator[](std::size_t row) const { return row < values_.size() ? values_[row] : T{}; }
    std::size_t stored() const { return values_.size(); }
    void clear() { values_.clear(); }
    void append(std::size_t row, const Fixed& from, std::size_t from_row) {
        if (from_row < from.values_.size()) put(row, from.values_[from_row]);
    }
    // Puts all rows of another column behind the `rows` that this one's batch has.
    void append_all(std::size_t rows, const Fixed& from) {
        if (from.values_.empty()) return;
        values_.resize(rows);
        values_.insert(values_.end(), from.values_.begin(), from.values_.end());
    }

    std::vector<T> values_;
};

// Values that may be missing: missing is unknown, zero is data (decision 14).
template <class T>
class Optional {
public:
    using Element = T;
    void put(std::size_t row, T value) {
        assert(row >= values_.size());
        begin_column(values_);
        begin_column(missing_);
        values_.resize(row);
        missing_.resize(row, 1);
        values_.push_back(value);
        missing_.push_back(0);
    }
    void put(std::size_t row, std::optional<T> value) {
        if (value) put(row, *value);
    }
    // Writes a row that was put before, or removes its value.
    void set(std::size_t row, std::optional<T> value) {
        if (row >= values_.size()) {
            values_.resize(row + 1);
            missing_.resize(row + 1, 1);
        }
        values_[row] = value.value_or(T{});
        missing_[row] = value ? 0 : 1;
    }
    std::optional<T> operator[](std::size_t row) const {
        if (row >= values_.size() || missing_[row] != 0) return std::nullopt;
        return values_[row];
    }
    std::size_t stored() const { return values_.size(); }
    void clear() {
        values_.clear();
        missing_.clear();
    }
    void append(std::size_t row, const Optional& from, std::size_t from_row) { put(row, from[from_row]); }
    void append_all(std::size_t rows, const Optional& from) {
        if (from.values_.empty()) return;
        values_.resize(rows);
        missing_.resize(rows, 1);
        values_.insert(values_.end(), from.values_.begin(), from.values_.end());
        missing_.insert(missing_.end(), from.missing_.begin(), from.missing_.end());
    }

    std::vector<T> values_;
    std::vector<std::uint8_t> missing_;  // 1 = missing, as in ClickHouse's Nullable
};

// Text of any length: one buffer and the end of each row in it.
class Text {
public:
    void put(std::size_t row, std::string_view value) {
        assert(row >= ends_.size());
        begin_column(ends_);
        ends_.resize(row, end());
        bytes_ += value;
        assert(bytes_.size() <= std::numeric_limits<std::uint32_t>::max());
        ends_.push_back(end());
    }
    std::string_view operator[](std::size_t row) const {
        if (row >= ends_.size()) return {};
        const std::uint32_t begin = row == 0 ? 0 : ends_[row - 1];
        return std::string_view(bytes_).substr(begin, ends_[row] - begin);
    }
    std::size_t stored() const { return ends_.size(); }
    void clear() {
        ends_.clear();
        bytes_.clear();
    }
    void append(std::size_t row, const Text& from, std::size_t from_row) {
        const std::string_view value = from[from_row];
        if (!value.empty()) put(row, value);
    }
    void append_all(std::size_t rows, const Text& from) {
        if (from.ends_.empty()) return;
        ends_.resize(rows, end());
        const std::uint32_t base = end();
        bytes_ += from.bytes_;
        assert(bytes_.size() <= std::numeric_limits<std::uint32_t>::max());
        append_each(ends_, from.ends_, [base](std::uint32_t from_end) { return base + from_end; });
    }

    std::vector<std::uint32_t> ends_;
    std::string bytes_;

private:
    std::uint32_t end() const { return static_cast<std::uint32_t>(bytes_.size()); }
};

// A set of texts in the order they came; code 0 is the empty text.
class Dictionary {
public:
    std::uint32_t code(std::string_view value) {
        if (value.empty()) return 0;
        if (last_ < values_.stored() && values_[last_] == value) return last_;
        if (slots_.empty()) grow(16);
        for (std::size_t at = hash64(value) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
            if (slots_[at] == 0) {
                last_ = add(value);
                slots_[at] = last_;
                if (values_.stored() * 2 > slots_.size()) grow(slots_.size() * 2);
                return last_;
            }
            if (values_[slots_[at]] == value) return last_ = slots_[at];
        }
    }
    std::string_view operator[](std::uint32_t code) const { return values_[code]; }
    // Codes run from 0 to size() - 1.
    std::size_t size() const { return values_.stored() == 0 ? 1 : values_.stored(); }
    void clear() {
        values_.clear();
        slots_.clear();
        last_ = 0;
    }
    const Text& values() const { return values_; }
    // For each code of the other dictionary, the code of the same text here; adds what is missing.
    std::vector<std::uint32_t> codes_of(const Dictionary& other) {
        std::vector<std::uint32_t> ours(other.size());
        for (std::uint32_t theirs = 1; theirs < ours.size(); ++theirs) ours[theirs] = code(other[theirs]);
        return ours;
    }
    // Replaces the content; `values` row 0 must be empty.
    void assign(Text values) {
        values_ = std::move(values);
        slots_.clear();
        last_ = 0;
        std::size_t room = 16;
        while (room < values_.stored() * 2) room *= 2;
        grow(room);
    }

private:
    std::uint32_t add(std::string_view value) {
        if (values_.stored() == 0) values_.put(0, {});
        values_.put(values_.stored(), value);
        return static_cast<std::uint32_t>(values_.stored() - 1);
    }
    void grow(std::size_t room) {
        slots_.assign(room, 0);
        for (std::uint32_t code = 1; code < values_.stored(); ++code) {
            std::size_t at = hash64(values_[code]) & (room - 1);
            while (slots_[at] != 0) at = (at + 1) & (room - 1);
            slots_[at] = code;
        }
    }

    Text values_;
    std::vector<std::uint32_t> slots_;  // open addressing, a power of two; 0 = free
    std::uint32_t last_ = 0;
};

// Text with few distinct values: models, services, names.
class Dict {
public:
    void put(std::size_t row, std::string_view value) {
        if (value.empty()) return;
        codes_.put(row, dictionary_.code(value));
    }
    void set(std::size_t row, std::string_view value) { codes_.set(row, dictionary_.code(value)); }
    std::string_view operator[](std::size_t row) const { return dictionary_[codes_[row]]; }
    std::uint32_t code(std::size_t row) const { return codes_[row]; }
    std::size_t stored() const { return codes_.stored(); }
    void clear() {
        codes_.clear();
        dictionary_.clear();
    }
    void append(std::size_t row, const Dict& from, std::size_t from_row) { put(row, from[from_row]); }
    void append_all(std::size_t rows, const Dict& from) {
        if (from.codes_.stored() == 0) return;
        const std::vector<std::uint32_t> ours = dictionary_.codes_of(from.dictionary_);
        codes_.values_.resize(rows);
        append_each(codes_.values_, from.codes_.values_, [&](std::uint32_t code) { return ours[code]; });
    }

    Fixed<std::uint32_t> codes_;
    Dictionary dictionary_;
};

// A list of texts per row.
class TextList {
public:
    void put(std::size_t row, const std::vector<std::string_view>& values) {
        if (values.empty()) return;
        assert(row >= ends_.size());
        ends_.resize(row, end());
        for (const std::string_view value : values) items_.put(items_.stored(), value);
        ends_.push_back(end());
    }
    std::vector<std::string_view> operator[](std::size_t row) const {
        std::vector<std::string_view> values;
        for (std::size_t i = begin(row); i < end(row); ++i) values.push_back(items_[i]);
        return values;
    }
    std::size_t begin(std::size_t row) const {
        return row == 0 || ends_.empty() ? 0 : ends_[std::min(row, ends_.size()) - 1];
    }
    std::size_t end(std::size_t row) const { return row < ends_.size() ? ends_[row] : begin(row); }
    std::size_t stored() const { return ends_.size(); }
    void clear() {
        ends_.clear();
        items_.clear();
    }
    void append(std::size_t row, const TextList& from, std::size_t from_row) { put(row, from[from_row]); }
    void append_all(std::size_t rows, const TextList& from) {
        if (from.ends_.empty()) return;
        ends_.resize(rows, end());
        const std::uint32_t base = end();
        items_.append_all(items_.stored(), from.items_);
        append_each(ends_, from.ends_, [base](std::uint32_t from_end) { return base + from_end; });
    }

    std::vector<std::uint32_t> ends_;
    Text items_;

private:
    std::uint32_t end() const { return static_cast<std::uint32_t>(items_.stored()); }
};

// What an attribute's value was before it became text. Everything but `text` is kept as canonical JSON
// (decision 18).
enum class AttributeType : std::uint8_t { text = 0, integer, number, boolean, json, bytes, empty };

// Key-value pairs per row: the attributes nobody gave a column of their own.
class Map {
public:
    struct Entry {
        std::string_view key;
        std::string_view value;
        AttributeType type;
    };
    // Entries of one row are put one after the other; `row` never goes back.
    void put(std::size_t row, std::string_view key, std::string_view value, AttributeType type) {
        assert(row + 1 >= ends_.size());
        begin_column(ends_);
        if (row >= ends_.size()) ends_.resize(row + 1, static_cast<std::uint32_t>(codes_.size()));
        const std::size_t at = values_.stored();
        begin_column(codes_);
        begin_column(types_);
        codes_.push_back(keys_dictionary_.code(key));
        values_.put(at, value);
        types_.push_back(type);
        ends_[row] = static_cast<std::uint32_t>(values_.stored());
    }
    std::size_t begin(std::size_t row) const {
        return row == 0 || ends_.empty() ? 0 : ends_[std::min(row, ends_.size()) - 1];
    }
    std::size_t end(std::size_t row) const { return row < ends_.size() ? ends_[row] : begin(row); }
    Entry entry(std::size_t at) const { return {keys_dictionary_[codes_[at]], values_[at], types_[at]}; }
    std::vector<Entry> operator[](std::size_t row) const {
        std::vector<Entry> entries;
        for (std::size_t at = begin(row); at < end(row); ++at) entries.push_back(entry(at));
        return entries;
    }
    std::optional<Entry> find(std::size_t row, std::string_view key) const {
        for (std::size_t at = begin(row); at < end(row); ++at)
            if (keys_dictionary_[codes_[at]] == key) return entry(at);
        return std::nullopt;
    }
    std::size_t stored() const { return ends_.size(); }
    void clear() {
        ends_.clear();
        codes_.clear();
        keys_dictionary_.clear();
        values_.clear();
        types_.clear();
    }
    void append(std::size_t row, const Map& from, std::size_t from_row) {
        for (std::size_t at = from.begin(from_row); at < from.end(from_row); ++at) {
            const Entry copied = from.entry(at);
            put(row, copied.key, copied.value, copied.type);
        }
    }
    void append_all(std::size_t rows, const Map& from) {
        if (from.ends_.empty()) return;
        const auto base = static_cast<std::uint32_t>(codes_.size());
        ends_.resize(rows, base);
        append_each(ends_, from.ends_, [base](std::uint32_t from_end) { return base + from_end; });
        const std::vector<std::uint32_t> ours = keys_dictionary_.codes_of(from.keys_dictionary_);
        append_each(codes_, from.codes_, [&](std::uint32_t code) { return ours[code]; });
        values_.append_all(values_.stored(), from.values_);
        types_.insert(types_.end(), from.types_.begin(), from.types_.end());
    }

    std::vector<std::uint32_t> ends_;
    std::vector<std::uint32_t> codes_;
    Dictionary keys_dictionary_;
    Text values_;
    std::vector<AttributeType> types_;
};

}  // namespace obs
