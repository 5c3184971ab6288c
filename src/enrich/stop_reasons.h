#pragma once

#include <string_view>

namespace obs {

// stop, length, tool_calls, content_filter, error, or other for a word nobody knows. Empty for nothing.
std::string_view canonical_stop_reason(std::string_view word);

}  // namespace obs
