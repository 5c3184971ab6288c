// Random batches of every table for tests: each column of each type is filled for some rows.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "model/batches.h"

namespace obs {

class RandomValues {
public:
    explicit RandomValues(std::uint64_t seed) : random_(seed) {}

    std::uint64_t number(std::uint64_t below) { return random_() % below; }
    bool often() { return number(4) != 0; }
    std::string text(std::size_t most = 24) {
        static constexpr std::string_view pieces[] = {"a",   "Z",  "0",  " ",  "\t",
                                                      "\n",  "\\", "'",  "\"", "%",
                                                      "_",   "ü",  "世", "🙂", std::string_view("\0", 1),
                                                      "\\N", "{",  "}"};
        std::string made;
        for (std::size_t i = number(most); i > 0; --i) made += pieces[number(std::size(pieces))];
        return made;
    }

    template <class T>
    void fill(std::size_t row, Fixed<T>& column) {
        if (often()) column.put(row, value<T>());
    }
    template <class T>
    void fill(std::size_t row, Optional<T>& column) {
        if (often()) column.put(row, value<T>());
    }
    void fill(std::size_t row, Text& column) {
        if (often()) column.put(row, text());
    }
    void fill(std::size_t row, Dict& column) {
        if (often()) column.put(row, "value-" + std::to_string(number(5)));
    }
    void fill(std::size_t row, TextList& column) {
        std::vector<std::string> made;
        for (std::size_t i = number(4); i > 0; --i) made.push_back(text(6));
        column.put(row, {made.begin(), made.end()});
    }
    void fill(std::size_t row, Map& column) {
        for (std::size_t i = number(4); i > 0; --i)
            column.put(row, "key." + std::to_string(i), text(), static_cast<AttributeType>(number(7)));
    }

private:
    template <class T>
    T value() {
        if constexpr (std::is_same_v<T, double>) {
            return static_cast<double>(static_cast<std::int64_t>(random_() >> 12)) / 1024.0;
        } else if constexpr (std::is_integral_v<T>) {
            return static_cast<T>(random_());
        } else {
            T made{};
            const std::uint64_t word = random_() >> 2;  // within Int64, in both signs' range
            static_assert(sizeof made % sizeof word == 0);
            for (std::size_t at = 0; at < sizeof made; at += sizeof word)
                std::memcpy(reinterpret_cast<char*>(&made) + at, &word, sizeof word);
            return made;
        }
    }

    std::mt19937_64 random_;
};

template <class Batch>
Batch random_batch(std::uint64_t seed, std::size_t rows) {
    RandomValues values(seed);
    Batch batch;
    for (std::size_t row = 0; row < rows; ++row)
        batch.for_each_column([&](const ColumnInfo& info, auto& column) {
            if (info.name == "ts") return;
            values.fill(row, column);
        });
    for (std::size_t row = 0; row < rows; ++row)
        batch.ts.put(row, UnixNanos{1'763'900'000'000'000'000 +
                                    static_cast<std::int64_t>(values.number(1'000'000'000))});
    return batch;
}

template <class T>
bool same(const Fixed<T>& a, const Fixed<T>& b, std::size_t row) {
    return a[row] == b[row];
}
template <class T>
bool same(const Optional<T>& a, const Optional<T>& b, std::size_t row) {
    return a[row] == b[row];
}
inline bool same(const Text& a, const Text& b, std::size_t row) {
    return a[row] == b[row];
}
inline bool same(const Dict& a, const Dict& b, std::size_t row) {
    return a[row] == b[row];
}
inline bool same(const TextList& a, const TextList& b, std::size_t row) {
    return a[row] == b[row];
}
inline bool same(const Map& a, const Map& b, std::size_t row) {
    const auto left = a[row], right = b[row];
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& x, const auto& y) {
        return x.key == y.key && x.value == y.value && x.type == y.type;
    });
}

// The columns in which the batches differ, but for those that are not part of a record.
template <class Batch>
std::vector<std::string> differing_columns(Batch& wrote, Batch& read) {
    std::vector<std::string> differing;
    wrote.for_each_column([&](const ColumnInfo& info, auto& column) {
        read.for_each_column([&](const ColumnInfo& other, auto& again) {
            if constexpr (std::is_same_v<decltype(column), decltype(again)>) {
                if (&info != &other || info.has(derived)) return;
                for (std::size_t row = 0; row < wrote.size(); ++row)
                    if (!same(column, again, row)) {
                        differing.push_back(fmt::format("{}[{}]", info.name, row));
                        return;
                    }
            }
        });
    });
    return differing;
}

}  // namespace obs
