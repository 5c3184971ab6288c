// gRPC's own layer over HTTP/2 requests, for unary calls: frames, metadata, deadlines.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"
#include "receive/status.h"

namespace obs::receive {

inline constexpr std::string_view grpc_accept_encoding = "identity,deflate,gzip,zstd";

// Any of application/grpc, application/grpc+proto ...; nothing is said about what follows the plus.
bool is_grpc(std::string_view content_type);

struct GrpcMessage {
    bool compressed = false;
    std::string_view bytes;  // within the body it was read from
};
// The one message of a unary request. The refusal says what is wrong with the framing.
std::expected<GrpcMessage, Refused> only_message(std::string_view body);

// `10S`, `500m`, ...: nothing when it is not such a text.
std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text);

std::string percent_encoded(std::string_view message);
// Without padding, as binary metadata is sent.
std::string base64(std::string_view bytes);

net::Response grpc_answer(std::string_view message, std::string_view content_type);
// The trailers alone. Both retry hints are there when there is something to retry: some clients read
// `grpc-status-details-bin`, Python reads `google.rpc.retryinfo-bin`.
net::Response grpc_refusal(const Refused& refused, std::string_view content_type);

}  // namespace obs::receive
