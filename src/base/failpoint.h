// Places where a test may kill the process, as `kill -9` at the worst moment would.
#pragma once

#include <string_view>

namespace obs {

namespace failpoint_detail {
extern const bool armed;  // the environment names a failpoint
void reached(std::string_view name);
}  // namespace failpoint_detail

// Kills the process when the environment variable LLMOBS_FAILPOINT is `<name>` or `<name>:<n>` and this is
// the nth time that the place is reached. Costs one test of a constant otherwise.
inline void failpoint(std::string_view name) {
    if (failpoint_detail::armed) [[unlikely]]
        failpoint_detail::reached(name);
}

}  // namespace obs
