// Short JSON of spans as OTLP/JSON requests, for tables of cases.
#pragma once

#include <string>
#include <string_view>

namespace obs::testing_rows {

// A list of {"S": scope, "R": {resource}, "name", "id", "parent", "kind", "start", "end", "attrs": {},
// "events":
// [{"name", "time", "attrs"}], "links": [{"traceId", "spanId"}], "status"}. Times are milliseconds; a span
// without any lasts ten seconds.
std::string otlp_traces(std::string_view spans);
// A list of {"eventName", "traceId", "spanId", "body", "attrs"}.
std::string otlp_logs(std::string_view records);

}  // namespace obs::testing_rows
