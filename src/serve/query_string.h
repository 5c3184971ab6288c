// What stands behind `?` in an address.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace obs::serve {

// `%41` to `A`. A percent sign without two hex digits stays as it is.
std::string percent_decoded(std::string_view text);

// Names and values in their order, decoded; `+` is a space.
std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

// `a,b`: the parts that are not empty.
std::vector<std::string> split_list(std::string_view text);

}  // namespace obs::serve
