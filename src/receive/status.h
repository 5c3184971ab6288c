// What OTLP clients are told: google.rpc.Status, partial success and retry hints, as protobuf and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/intake.h"

namespace obs::receive {

// The numbers of gRPC.
enum class Code : std::uint8_t {
    ok = 0,
    deadline_exceeded = 4,
    not_found = 5,
    permission_denied = 7,
    resource_exhausted = 8,
    unimplemented = 12,
    invalid_argument = 3,
    internal = 13,
    unavailable = 14,
    unauthenticated = 16,
};

// A refusal in words of all transports. `retry_seconds` 0 means: never send this again.
struct Refused {
    int http_status;
    Code code;
    std::string message;
    int retry_seconds = 0;
};

// google.rpc.Status; with a RetryInfo in its details when there is something to retry.
std::string status_protobuf(const Refused& refused);
std::string status_json(const Refused& refused);
// google.rpc.RetryInfo
std::string retry_info_protobuf(int seconds);

// Export*ServiceResponse: empty (`{}`) when there is nothing to tell.
std::string export_response(const Accepted& accepted, Encoding encoding, Signal signal);

}  // namespace obs::receive
