// Decoded rows as text that a person can read and a test can compare. For tests only.
#pragma once

#include <string>

#include "model/raw_batches.h"

namespace obs {

std::string describe(const RawSpans& rows);
std::string describe(const RawLogs& rows);
std::string describe(const RawMetrics& rows);
std::string describe(const RawAttributes& raw, RawRange range);
std::string describe(const RawValue& value);
// "unfinished invalid_utf8"
std::string describe_flags(std::uint32_t flags);

}  // namespace obs
