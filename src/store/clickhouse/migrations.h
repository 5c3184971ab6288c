// The frozen, numbered steps that make the schema. They are part of the program.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace obs {

struct Migration {
    int number;  // from 1, without gaps
    std::string_view name, sql;
};
std::span<const Migration> clickhouse_migrations();

// Statements of a file: they end with a semicolon at the end of a line; `--` starts a comment line.
std::vector<std::string_view> statements_of(std::string_view sql);

}  // namespace obs
