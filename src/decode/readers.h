// One reader per encoding and signal; each hands what it reads to the rules of the signal.
#pragma once

#include <string_view>

#include "base/result.h"
#include "decode/log_rows.h"
#include "decode/point_rows.h"
#include "decode/span_rows.h"

namespace obs {

Result<void> read_protobuf(std::string_view body, SpanRows& rows);
Result<void> read_protobuf(std::string_view body, LogRows& rows);
Result<void> read_protobuf(std::string_view body, PointRows& rows);

Result<void> read_json(std::string_view body, SpanRows& rows);
Result<void> read_json(std::string_view body, LogRows& rows);
Result<void> read_json(std::string_view body, PointRows& rows);

}  // namespace obs
