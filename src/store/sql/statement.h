// A statement and the values bound to it. What a user wrote is only ever a value.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace obs {

using Bound = std::variant<std::string, std::int64_t, std::uint64_t, double, std::vector<std::string>,
                           std::vector<std::int64_t>, std::vector<double>>;

struct Statement {
    std::string sql;
    std::vector<Bound> values{};  // p0, p1 … in their order
    // `name = value`, never of a user: how the statement runs, not what it says.
    std::vector<std::string> settings{};
};

}  // namespace obs
