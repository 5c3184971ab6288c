// Rows as a Parquet file: its columns, typed. What is missing is null.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/question.h"

namespace obs {

// By the type of what it shows: text; 64-bit integers; doubles; decimals with nine places for money;
// timestamps in nanoseconds, UTC; milliseconds as doubles for durations; ids as hex; lists of text; maps of
// text to text. `as` says where that is not so.
struct ParquetColumn {
    enum class As : std::uint8_t {
        value,
        whole_milliseconds,  // of a duration, rounded half up
        flag,                // true for what is not 0
        word,                // words[number]
        words,               // of the bits that are set, lowest first
    };
    static constexpr std::size_t longest_name = 100;

    std::string name;              // of [A-Za-z0-9_.-], at most so long
    std::vector<FieldRef> fields;  // one; of several, a JSON object of those that are there
    As as = As::value;
    std::span<const std::string_view> words{};
};

enum class ParquetCodec : std::uint8_t { none, gzip, zstd };

struct ParquetFile {
    std::filesystem::path path;  // replaced when it exists
    std::vector<ParquetColumn> columns;
    ParquetCodec codec = ParquetCodec::none;
};

// Whether a column may be called so.
bool is_parquet_name(std::string_view name);

}  // namespace obs
