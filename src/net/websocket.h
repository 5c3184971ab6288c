// WebSockets (RFC 6455) as a service sees them: the answer that opens one, and frames to send.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "net/session.h"

namespace obs::net {

// Codes of section 7.4; from 4000 on they are a service's own.
enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    unsupported_data = 1003,
    policy_violation = 1008,
};

// The answer that makes a WebSocket of the connection. Fails with `invalid_input` when the request does not
// ask for one, or not as it should; HTTP/2 has none. The service adds the sub-protocol that it chose.
Result<Response> websocket_answer(const RequestHead& head, std::shared_ptr<Session> session);

// A text message as one frame.
void append_text_frame(std::string& out, std::string_view text);
// The reason is cut at 123 bytes.
void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason);

}  // namespace obs::net
