// The same rows by way of other readers of protobuf: the official library and protozero. What tests and
// benchmarks compare with. The rules (SpanRows and so on) and the JSON writer are ours in all of them; the
// reading is theirs.
#pragma once

#include <optional>
#include <string_view>

#include <google/protobuf/arena.h>

#include "decode/decode.h"

namespace obs {

// Nothing if the library refuses the request.
std::optional<Decoded<RawSpans>> protobuf_traces(std::string_view body, const DecodeLimits& limits,
                                                 UnixNanos now);
std::optional<Decoded<RawLogs>> protobuf_logs(std::string_view body, const DecodeLimits& limits,
                                              UnixNanos now);
std::optional<Decoded<RawMetrics>> protobuf_metrics(std::string_view body, const DecodeLimits& limits,
                                                    UnixNanos now);
// Parses into messages on the arena and does nothing else.
bool protobuf_parses_traces(std::string_view body, google::protobuf::Arena& arena);

std::optional<Decoded<RawSpans>> protozero_traces(std::string_view body, const DecodeLimits& limits,
                                                  UnixNanos now);

}  // namespace obs
