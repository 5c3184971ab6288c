#include "receive/status.h"

#include "base/json_writer.h"
#include "base/utf8.h"

namespace obs::receive {
namespace {

// Answers stay far below the 4 MiB that clients read.
constexpr std::size_t longest_message = 4096;

void append_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}

void append_number(std::string& out, std::uint32_t field, std::uint64_t value) {
    append_varint(out, field << 3);
    append_varint(out, value);
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
    append_varint(out, field << 3 | 2);
    append_varint(out, bytes.size());
    out += bytes;
}

// proto3 strings are UTF-8, or strict clients refuse the whole answer.
std::string shown(std::string_view message) {
    return to_utf8(utf8_prefix(message, longest_message));
}

std::string_view rejected_name(Signal signal) {
    switch (signal) {
        case Signal::traces: return "rejectedSpans";
        case Signal::logs: return "rejectedLogRecords";
        case Signal::metrics: break;
    }
    return "rejectedDataPoints";
}

}  // namespace

std::string retry_info_protobuf(int seconds) {
    std::string duration, info;
    append_number(duration, 1, static_cast<std::uint64_t>(seconds));
    append_bytes(info, 1, duration);
    return info;
}

std::string status_protobuf(const Refused& refused) {
    std::string out;
    append_number(out, 1, static_cast<std::uint64_t>(refused.code));
    append_bytes(out, 2, shown(refused.message));
    if (refused.retry_seconds > 0) {
        std::string any;
        append_bytes(any, 1, "type.googleapis.com/google.rpc.RetryInfo");
        append_bytes(any, 2, retry_info_protobuf(refused.retry_seconds));
        append_bytes(out, 3, any);
    }
    return out;
}

std::string status_json(const Refused& refused) {
    std::string out;
    JsonWriter json(out);
    json.begin_object()
        .field("code", static_cast<int>(refused.code))
        .field("message", shown(refused.message));
    if (refused.retry_seconds > 0)
        json.key("details")
            .begin_array()
            .begin_object()
            .field("@type", "type.googleapis.com/google.rpc.RetryInfo")
            .field("retryDelay", std::to_string(refused.retry_seconds) + "s")
            .end_object()
            .end_array();
    json.end_object();
    return out;
}

std::string export_response(const Accepted& accepted, Encoding encoding, Signal signal) {
    const bool full = accepted.rejected == 0 && accepted.message.empty();
    std::string out;
    if (encoding == Encoding::protobuf) {
        if (full) return out;
        std::string partial;
        if (accepted.rejected != 0) append_number(partial, 1, static_cast<std::uint64_t>(accepted.rejected));
        append_bytes(partial, 2, shown(accepted.message));
        append_bytes(out, 1, partial);
        return out;
    }
    if (full) return "{}";
    JsonWriter json(out);
    json.begin_object().key("partialSuccess").begin_object();
    // proto3's JSON writes 64-bit integers as text.
    json.field(rejected_name(signal), std::to_string(accepted.rejected));
    json.field("errorMessage", shown(accepted.message)).end_object().end_object();
    return out;
}

}  // namespace obs::receive
