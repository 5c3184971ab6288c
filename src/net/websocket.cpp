#include "net/websocket.h"

#include <algorithm>
#include <array>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <wslay/wslay.h>

#include "net/websocket_codec.h"

namespace obs::net {

namespace {

bool same_word(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, {}, [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
}

// Whether a list of words, separated by commas, has the word.
bool lists(std::string_view list, std::string_view lower) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string_view word = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        while (word.starts_with(' ') || word.starts_with('\t')) word.remove_prefix(1);
        while (word.ends_with(' ') || word.ends_with('\t')) word.remove_suffix(1);
        if (same_word(word, lower)) return true;
    }
    return false;
}

template <class Bytes>
std::string base64(const Bytes& bytes) {
    std::string text((bytes.size() + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                    static_cast<int>(bytes.size()));
    return text;
}

// 16 bytes in base64.
bool is_key(std::string_view key) {
    return key.size() == 24 && key.ends_with("==") &&
           key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == 22;
}

std::string accept_of(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return base64(digest);
}

void append_frame(std::string& out, std::uint8_t opcode, std::string_view payload) {
    constexpr std::uint8_t whole = 0x80;
    out += static_cast<char>(whole | opcode);
    const auto number = [&](std::uint64_t value, int bytes) {
        for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
    };
    if (payload.size() < 126) {
        number(payload.size(), 1);
    } else if (payload.size() <= 0xFFFF) {
        out += static_cast<char>(126);
        number(payload.size(), 2);
    } else {
        out += static_cast<char>(127);
        number(payload.size(), 8);
    }
    out += payload;
}

}  // namespace

Result<Response> websocket_answer(const RequestHead& head, std::shared_ptr<Session> session) {
    if (head.http2) return fail(ErrorKind::invalid_input, "a WebSocket is opened over HTTP/1.1");
    if (!lists(head.headers.get("connection"), "upgrade") || !lists(head.headers.get("upgrade"), "websocket"))
        return fail(ErrorKind::invalid_input, "this path takes WebSockets: send Upgrade: websocket");
    if (head.headers.get("sec-websocket-version") != "13")
        return fail(ErrorKind::invalid_input, "Sec-WebSocket-Version must be 13");
    const std::string_view key = head.headers.get("sec-websocket-key");
    if (!is_key(key)) return fail(ErrorKind::invalid_input, "Sec-WebSocket-Key must be 16 bytes in base64");
    Response response{.status = 101, .session = std::move(session)};
    response.headers.add("upgrade", "websocket");
    response.headers.add("connection", "Upgrade");
    response.headers.add("sec-websocket-accept", accept_of(key));
    return response;
}

void append_text_frame(std::string& out, std::string_view text) {
    append_frame(out, WSLAY_TEXT_FRAME, text);
}

void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason) {
    constexpr std::size_t longest = 123;
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
    payload += reason.substr(0, longest);
    append_frame(out, WSLAY_CONNECTION_CLOSE, payload);
}

struct WebsocketCodec::State {
    State(Wire& of, Session& with) : wire(of), session(with), heard(of.now), second(of.now) {
        static constexpr wslay_event_callbacks callbacks{.recv_callback = on_wanted,
                                                         .send_callback = on_bytes,
                                                         .genmask_callback = nullptr,
                                                         .on_frame_recv_start_callback = on_frame,
                                                         .on_frame_recv_chunk_callback = nullptr,
                                                         .on_frame_recv_end_callback = nullptr,
                                                         .on_msg_recv_callback = on_message};
        if (wslay_event_context_server_init(&context, &callbacks, this) != 0) throw std::bad_alloc();
        wslay_event_config_set_max_recv_msg_length(context, wire.around.limits->message_bytes);
    }
    ~State() { wslay_event_context_free(context); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    static State& self(void* user) { return *static_cast<State*>(user); }

    static ssize_t on_wanted(wslay_event_context_ptr context, std::uint8_t* out, std::size_t room, int,
                             void* user) {
        std::string_view& unread = self(user).unread;
        if (unread.empty()) {
            wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
            return -1;
        }
        const std::size_t size = unread.copy(reinterpret_cast<char*>(out), room);
        unread.remove_prefix(size);
        return static_cast<ssize_t>(size);
    }

    static ssize_t on_bytes(wslay_event_context_ptr, const std::uint8_t* bytes, std::size_t size, int,
                            void* user) {
        self(user).wire.output.append(std::string_view(reinterpret_cast<const char*>(bytes), size));
        return static_cast<ssize_t>(size);
    }

    static void on_frame(wslay_event_context_ptr, const wslay_event_on_frame_recv_start_arg*, void* user) {
        State& state = self(user);
        if (++state.frames > state.wire.around.limits->frames_per_second)
            state.close(static_cast<std::uint16_t>(CloseCode::policy_violation), "too many frames");
    }

    static void on_message(wslay_event_context_ptr context, const wslay_event_on_msg_recv_arg* message,
                           void* user) {
        State& state = self(user);
        // What follows a good-bye of ours is not looked at.
        if (state.said_goodbye || wslay_event_get_close_sent(context) != 0) return;
        if (message->opcode == WSLAY_BINARY_FRAME)
            state.close(static_cast<std::uint16_t>(CloseCode::unsupported_data), "text messages only");
        if (message->opcode == WSLAY_TEXT_FRAME)
            state.session.received({reinterpret_cast<const char*>(message->msg), message->msg_length});
    }

    void close(std::uint16_t code, std::string_view reason) {
        if (std::exchange(said_goodbye, true)) return;
        wslay_event_queue_close(context, code, reinterpret_cast<const std::uint8_t*>(reason.data()),
                                reason.size());
    }
    void write() {
        while (wslay_event_want_write(context) != 0)
            if (wslay_event_send(context) != 0) return;
    }

    Wire& wire;
    Session& session;
    wslay_event_context_ptr context = nullptr;
    std::string_view unread;
    Time heard, second;
    std::uint32_t frames = 0;
    bool asked = false;  // a ping is on its way
    bool said_goodbye = false;
    bool broken = false;
};

WebsocketCodec::WebsocketCodec(Wire& wire, Session& session)
    : state_(std::make_unique<State>(wire, session)) {}
WebsocketCodec::~WebsocketCodec() = default;

void WebsocketCodec::receive(std::string_view bytes) {
    state_->heard = state_->wire.now;
    state_->asked = false;
    state_->unread = bytes;
    const bool understood = wslay_event_recv(state_->context) == 0;
    state_->unread = {};
    if (understood) return state_->write();
    // wslay would say good-bye without a reason.
    constexpr std::uint16_t protocol_error = 1002;
    std::string farewell;
    append_close_frame(farewell, protocol_error, "this is no WebSocket frame");
    state_->wire.output.append(std::move(farewell));
    state_->broken = true;
}

void WebsocketCodec::tick() {
    State& state = *state_;
    const auto ping = state.wire.around.limits->websocket_ping;
    if (state.wire.now - state.second > std::chrono::seconds(1)) {
        state.second = state.wire.now;
        state.frames = 0;
    }
    const auto silence = state.wire.now - state.heard;
    if (silence > ping * 2) {
        state.broken = true;
    } else if (silence > ping && !std::exchange(state.asked, true)) {
        const wslay_event_msg question{.opcode = WSLAY_PING, .msg = nullptr, .msg_length = 0};
        wslay_event_queue_msg(state.context, &question);
        state.write();
    }
}

void WebsocketCodec::close(std::uint16_t code, std::string_view reason) {
    state_->close(code, reason);
    state_->write();
}

bool WebsocketCodec::closed() const {
    return state_->broken || wslay_event_get_close_sent(state_->context) != 0;
}

}  // namespace obs::net
