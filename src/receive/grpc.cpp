#include "receive/grpc.h"

#include <charconv>

#include <fmt/format.h>

#include "base/utf8.h"

namespace obs::receive {
namespace {

constexpr std::size_t prefix_size = 5;
// Trailers have to fit the header limits of clients (8 KiB and more).
constexpr std::size_t longest_grpc_message = 1024;

std::uint32_t big_endian(std::string_view four) {
    std::uint32_t value = 0;
    for (const char c : four) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

std::unexpected<Refused> refuse(Code code, std::string message) {
    return std::unexpected(Refused{.http_status = 400, .code = code, .message = std::move(message)});
}

}  // namespace

bool is_grpc(std::string_view content_type) {
    constexpr std::string_view name = "application/grpc";
    if (!content_type.starts_with(name)) return false;
    const std::string_view rest = content_type.substr(name.size());
    return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

std::expected<GrpcMessage, Refused> only_message(std::string_view body) {
    if (body.empty()) return refuse(Code::unimplemented, "the call has no message");
    if (body.size() < prefix_size) return refuse(Code::invalid_argument, "the message is cut off");
    const auto flag = static_cast<unsigned char>(body.front());
    const std::uint32_t size = big_endian(body.substr(1, 4));
    const std::string_view rest = body.substr(prefix_size);
    if (flag > 1)
        return refuse(Code::invalid_argument, fmt::format("compressed flag {} is neither 0 nor 1", flag));
    if (rest.size() < size)
        return refuse(Code::invalid_argument,
                      fmt::format("the message is cut off: {} of {} bytes", rest.size(), size));
    if (rest.size() > size) return refuse(Code::unimplemented, "the call has more than one message");
    return GrpcMessage{flag == 1, rest};
}

std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text) {
    using namespace std::chrono;
    if (text.size() < 2 || text.size() > 9) return std::nullopt;
    std::int64_t count = 0;
    const char* const unit = text.data() + text.size() - 1;
    if (const auto [end, error] = std::from_chars(text.data(), unit, count);
        error != std::errc() || end != unit)
        return std::nullopt;
    if (count < 0) return std::nullopt;
    // Eight digits of hours are more nanoseconds than fit; a day is as good as for ever.
    constexpr nanoseconds most = hours(24);
    const auto times = [&](nanoseconds one) { return count >= most / one ? most : count * one; };
    switch (*unit) {
        case 'H': return times(hours(1));
        case 'M': return times(minutes(1));
        case 'S': return times(seconds(1));
        case 'm': return times(milliseconds(1));
        case 'u': return times(microseconds(1));
        case 'n': return times(nanoseconds(1));
        default: return std::nullopt;
    }
}

std::string percent_encoded(std::string_view message) {
    std::string out;
    for (const char c : utf8_prefix(message, longest_grpc_message)) {
        if (c >= ' ' && c <= '~' && c != '%')
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string base64(std::string_view bytes) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        for (held += 8; held >= 6; held -= 6) out += digits[bits >> (held - 6) & 63];
    }
    if (held > 0) out += digits[bits << (6 - held) & 63];
    return out;
}

net::Response grpc_answer(std::string_view message, std::string_view content_type) {
    net::Response answer{.headers = {{"content-type", std::string(content_type)},
                                     {"grpc-accept-encoding", std::string(grpc_accept_encoding)}},
                         .trailers = {{"grpc-status", "0"}}};
    const auto size = static_cast<std::uint32_t>(message.size());
    answer.body.reserve(prefix_size + size);
    answer.body += '\0';
    for (const int shift : {24, 16, 8, 0}) answer.body += static_cast<char>(size >> shift & 0xFF);
    answer.body += message;
    return answer;
}

net::Response grpc_refusal(const Refused& refused, std::string_view content_type) {
    net::Response answer{.headers = {{"content-type", std::string(content_type)},
                                     {"grpc-accept-encoding", std::string(grpc_accept_encoding)},
                                     {"grpc-status", std::to_string(static_cast<int>(refused.code))},
                                     {"grpc-message", percent_encoded(refused.message)}}};
    if (refused.retry_seconds > 0) {
        Refused shortened = refused;
        shortened.message.resize(std::min(shortened.message.size(), longest_grpc_message));
        answer.headers.add("grpc-status-details-bin", base64(status_protobuf(shortened)));
        answer.headers.add("google.rpc.retryinfo-bin", base64(retry_info_protobuf(refused.retry_seconds)));
    }
    return answer;
}

}  // namespace obs::receive
