// Answers that go on: WebSockets, and bodies without an end.
#include "net/session.h"

#include <atomic>
#include <mutex>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server.h"
#include "net/test_client.h"
#include "net/websocket.h"

namespace obs::net {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Http1Client;
using test::Http2Client;
using test::Reply;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

Piece piece_of(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}
Piece frame_of(std::string_view text) {
    std::string frame;
    append_text_frame(frame, text);
    return piece_of(std::move(frame));
}

// What the service sees of its clients.
struct Seen {
    std::mutex mutex;
    std::vector<std::shared_ptr<Outlet>> outlets;
    std::atomic<int> closed = 0;
};

// Sends each message back.
class Recorder final : public Session {
public:
    explicit Recorder(Seen& seen) : seen_(seen) {}
    void opened(std::shared_ptr<Outlet> outlet) override {
        outlet_ = outlet;
        const std::lock_guard lock(seen_.mutex);
        seen_.outlets.push_back(std::move(outlet));
    }
    void received(std::string_view message) override { outlet_->send(frame_of(message)); }
    void closed() override { ++seen_.closed; }

private:
    Seen& seen_;
    std::shared_ptr<Outlet> outlet_;
};

class Streams final : public Service {
public:
    std::variant<Proceed, Response> admit(const RequestHead&) override { return Proceed{.body_limit = 1000}; }
    void handle(Request request, Respond respond) override {
        auto session = std::make_shared<Recorder>(seen);
        if (request.head.path == "/stream")
            return respond(
                {.headers = {{"content-type", "text/event-stream"}}, .session = std::move(session)});
        auto answer = websocket_answer(request.head, std::move(session));
        respond(answer ? *std::move(answer) : refusal(request.head, 426, answer.error().message));
    }
    Response refusal(const RequestHead&, int status, std::string_view reason) override {
        return {.status = status, .body = std::string(reason)};
    }
    std::shared_ptr<Outlet> outlet() {
        EXPECT_TRUE(eventually([&] {
            const std::lock_guard lock(seen.mutex);
            return !seen.outlets.empty();
        }));
        const std::lock_guard lock(seen.mutex);
        return seen.outlets.front();
    }

    Seen seen;
};

std::string upgrade(std::string_view lines = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                    std::string_view version = "13", std::string_view asked = "websocket") {
    return fmt::format(
        "GET /ws HTTP/1.1\r\nhost: here\r\nconnection: keep-alive, Upgrade\r\nupgrade: {}\r\n"
        "sec-websocket-version: {}\r\n{}\r\n",
        asked, version, lines);
}

constexpr int text = 1, binary = 2, close = 8, ping = 9, pong = 10;

// As a client sends it.
std::string frame(int opcode, std::string_view payload, bool whole = true, int reserved = 0,
                  bool masked = true) {
    constexpr std::string_view mask = "\x11\x22\x33\x44";
    std::string out;
    out += static_cast<char>((whole ? 0x80 : 0) | reserved | opcode);
    const int bit = masked ? 0x80 : 0;
    if (payload.size() < 126) {
        out += static_cast<char>(bit | static_cast<int>(payload.size()));
    } else if (payload.size() <= 0xFFFF) {
        out += static_cast<char>(bit | 126);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size());
    } else {
        out += static_cast<char>(bit | 127);
        for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
    }
    if (!masked) return out += payload;
    out += mask;
    for (std::size_t at = 0; at < payload.size(); ++at) out += static_cast<char>(payload[at] ^ mask[at % 4]);
    return out;
}

struct Frame {
    int opcode = -1;  // -1: the connection ended
    std::string payload{};
    int code() const {
        return payload.size() < 2
                   ? 0
                   : static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
    }
};

class Socket {
public:
    explicit Socket(std::uint16_t port, std::string_view request = upgrade()) : wire_(port) {
        wire_.send(request);
        while (unread_.find("\r\n\r\n") == std::string::npos) {
            const std::string more = wire_.receive();
            if (more.empty()) return;
            unread_ += more;
        }
        head_ = unread_.substr(0, unread_.find("\r\n\r\n") + 4);
        unread_.erase(0, head_.size());
    }
    const std::string& head() const { return head_; }
    void send(std::string_view bytes) { wire_.send(bytes); }
    Frame next() {
        Frame got;
        if (!want(2)) return got;
        std::size_t size = static_cast<unsigned char>(unread_[1]), begin = 2;
        if (size >= 126) {
            begin = size == 126 ? 4 : 10;
            if (!want(begin)) return got;
            size = 0;
            for (std::size_t at = 2; at < begin; ++at)
                size = size * 256 + static_cast<unsigned char>(unread_[at]);
        }
        if (!want(begin + size)) return got;
        got.opcode = unread_[0] & 0x0F;
        got.payload = unread_.substr(begin, size);
        unread_.erase(0, begin + size);
        return got;
    }

private:
    bool want(std::size_t bytes) {
        while (unread_.size() < bytes) {
            const std::string more = wire_.receive();
            if (more.empty()) return false;
            unread_ += more;
        }
        return true;
    }
    test::Wire wire_;
    std::string head_, unread_;
};

class SessionTest : public testing::Test {
protected:
    void start(Limits limits = {}) {
        limits.linger = 50ms;
        auto started =
            Server::start({.threads = 2, .limits = limits, .budget = &budget_, .workers = &workers_},
                          {{.host = "127.0.0.1", .service = &streams_, .name = "test"}});
        ASSERT_TRUE(started.has_value()) << started.error().message;
        server_ = *std::move(started);
    }
    std::uint16_t port() const { return server_->port(0); }
    bool all_closed(int sessions) {
        return eventually([&] { return streams_.seen.closed == sessions; });
    }

    Streams streams_;
    ByteBudget budget_{{.limit = 8 << 20}};
    Workers workers_;
    std::unique_ptr<Server> server_;
};

// --- WebSockets
// ---------------------------------------------------------------------------------------------------------

class WebsocketTest : public SessionTest {};

TEST_F(WebsocketTest, opens_as_the_rfc_shows) {
    start();
    const Socket socket(port());
    EXPECT_THAT(socket.head(), StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    EXPECT_THAT(socket.head(), HasSubstr("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_THAT(socket.head(), testing::Not(HasSubstr("content-length")));
}

TEST_F(WebsocketTest, sends_what_it_gets_whatever_its_length) {
    start();
    Socket socket(port());
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U}) {
        socket.send(frame(text, std::string(size, 'x')));
        const Frame got = socket.next();
        EXPECT_EQ(got.opcode, text);
        EXPECT_EQ(got.payload.size(), size);
    }
}

TEST_F(WebsocketTest, reads_frames_that_came_with_the_request) {
    start();
    Socket socket(port(), upgrade() + frame(text, "early"));
    EXPECT_EQ(socket.next().payload, "early");
}

TEST_F(WebsocketTest, reads_byte_by_byte) {
    start();
    Socket socket(port());
    for (const char byte : frame(text, "slowly")) socket.send(std::string_view(&byte, 1));
    EXPECT_EQ(socket.next().payload, "slowly");
}

TEST_F(WebsocketTest, joins_fragments_and_answers_pings_between_them) {
    start();
    Socket socket(port());
    socket.send(frame(text, "one ", false) + frame(ping, "there?") + frame(0, "message"));
    const Frame answer = socket.next();
    EXPECT_EQ(answer.opcode, pong);
    EXPECT_EQ(answer.payload, "there?");
    EXPECT_EQ(socket.next().payload, "one message");
}

struct BadFrames {
    std::string what, bytes;
    int code;
};
class BadFramesTest : public WebsocketTest, public testing::WithParamInterface<BadFrames> {};
TEST_P(BadFramesTest, are_answered_with_a_close_code) {
    start();
    Socket socket(port());
    socket.send(GetParam().bytes);
    Frame got = socket.next();
    while (got.opcode != close && got.opcode != -1) got = socket.next();
    EXPECT_EQ(got.opcode, close);
    EXPECT_EQ(got.code(), GetParam().code) << got.payload;
    EXPECT_EQ(socket.next().opcode, -1);
    EXPECT_TRUE(all_closed(1));
}
INSTANTIATE_TEST_SUITE_P(
    All, BadFramesTest,
    testing::Values(
        BadFrames{"without_a_mask", frame(text, "x", true, 0, false), 1002},
        BadFrames{"with_a_reserved_bit", frame(text, "x", true, 0x40), 1002},
        BadFrames{"with_an_unknown_opcode", frame(5, "x"), 1002},
        BadFrames{"a_ping_in_fragments", frame(ping, "x", false), 1002},
        BadFrames{"a_long_ping", frame(ping, std::string(126, 'x')), 1002},
        BadFrames{"the_end_of_no_message", frame(0, "x"), 1002},
        BadFrames{"a_message_within_another", frame(text, "x", false) + frame(text, "y"), 1002},
        BadFrames{"text_that_is_no_utf8", frame(text, "\xff\xfe"), 1007},
        BadFrames{"bytes", frame(binary, "x"), 1003},
        BadFrames{"a_message_too_big", frame(text, std::string(70'000, 'x')), 1009},
        BadFrames{"fragments_too_big_together",
                  frame(text, std::string(40'000, 'x'), false) + frame(0, std::string(40'000, 'x')), 1009},
        BadFrames{"a_good_bye", frame(close, "\x03\xe8"), 1000},
        BadFrames{"a_good_bye_with_a_code_of_ours", frame(close, "\x0f\xa0"), 4000},
        BadFrames{"a_good_bye_with_half_a_code", frame(close, "\x03"), 0},
        BadFrames{"a_good_bye_with_a_code_nobody_sends", frame(close, "\x03\xed"), 1002}),
    [](const auto& test) { return test.param.what; });

TEST_F(WebsocketTest, says_good_bye_to_a_flood) {
    start({.frames_per_second = 50});
    Socket socket(port());
    std::string flood;
    for (int n = 0; n < 1000; ++n) flood += frame(ping, "");
    socket.send(flood);
    Frame got = socket.next();
    while (got.opcode == pong) got = socket.next();
    EXPECT_EQ(got.opcode, close);
    EXPECT_EQ(got.code(), 1008);
}

TEST_F(WebsocketTest, asks_who_is_silent_and_gives_up) {
    start({.websocket_ping = 30ms});
    Socket socket(port());
    EXPECT_EQ(socket.next().opcode, ping);
    EXPECT_EQ(socket.next().opcode, -1);
    EXPECT_TRUE(all_closed(1));
}

TEST_F(WebsocketTest, keeps_who_answers) {
    start({.websocket_ping = 30ms});
    Socket socket(port());
    for (int n = 0; n < 5; ++n) {
        ASSERT_EQ(socket.next().opcode, ping);
        socket.send(frame(pong, ""));
    }
    EXPECT_EQ(streams_.seen.closed, 0);
}

TEST_F(WebsocketTest, says_good_bye_when_the_server_stops) {
    start();
    Socket socket(port());
    streams_.outlet()->send(frame_of("before"));
    EXPECT_EQ(socket.next().payload, "before");
    EXPECT_TRUE(server_->drain(10s));
    EXPECT_EQ(socket.next().code(), 1001);
    EXPECT_TRUE(all_closed(1));
}

TEST_F(WebsocketTest, tells_the_session_that_its_client_is_gone) {
    start();
    {
        Socket socket(port());
    }
    EXPECT_TRUE(all_closed(1));
    streams_.outlet()->send(frame_of("to nobody"));
    EXPECT_EQ(streams_.outlet()->waiting(), 0U);
}

TEST_F(WebsocketTest, a_slow_reader_gets_the_farewell_and_not_what_waited) {
    start();
    Socket socket(port());
    const auto outlet = streams_.outlet();
    const Piece piece = frame_of(std::string(100'000, 'x'));
    int given = 0;
    // Nobody reads: the buffers of both sides fill, and then it waits here.
    while (outlet->waiting() < 30 * piece->size()) {
        outlet->send(piece);
        ++given;
    }
    std::string last;
    append_text_frame(last, "too slow");
    append_close_frame(last, 4408, "too slow");
    outlet->end(piece_of(std::move(last)), Outlet::Unsent::drop);
    EXPECT_LT(outlet->waiting(), piece->size());
    int got = 0;
    Frame next = socket.next();
    for (; next.payload.size() == 100'000; next = socket.next()) ++got;
    EXPECT_EQ(next.payload, "too slow");
    EXPECT_LE(got, given - 30);
    EXPECT_EQ(socket.next().code(), 4408);
    EXPECT_EQ(socket.next().opcode, -1);
}

struct BadUpgrade {
    std::string what, request;
};
class BadUpgradeTest : public WebsocketTest, public testing::WithParamInterface<BadUpgrade> {};
TEST_P(BadUpgradeTest, is_refused_and_the_connection_goes_on) {
    start();
    test::Wire wire(port());
    Http1Client client(wire);
    EXPECT_EQ(client.ask(GetParam().request).status, 426);
    EXPECT_EQ(client.ask(GetParam().request).status, 426);
}
INSTANTIATE_TEST_SUITE_P(
    All, BadUpgradeTest,
    testing::Values(
        BadUpgrade{"not_asked_for", "GET /ws HTTP/1.1\r\nhost: here\r\n\r\n"},
        BadUpgrade{"to_something_else",
                   upgrade("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "13", "h2c")},
        BadUpgrade{"an_old_version", upgrade("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "8")},
        BadUpgrade{"without_a_key", upgrade("")},
        BadUpgrade{"a_short_key", upgrade("sec-websocket-key: dGhl\r\n")},
        BadUpgrade{"a_key_that_is_no_base64", upgrade("sec-websocket-key: dGhlIHNhbXBsZSBub25j_Q==\r\n")}),
    [](const auto& test) { return test.param.what; });

TEST_F(WebsocketTest, are_not_opened_over_http2) {
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    const Reply reply = client.ask("GET", "/ws");
    EXPECT_EQ(reply.status, 426);
    EXPECT_THAT(reply.body, HasSubstr("HTTP/1.1"));
}

// --- bodies without an end
// ----------------------------------------------------------------------------------------------

class StreamTest : public SessionTest {};

TEST_F(StreamTest, comes_in_chunks) {
    start();
    test::Wire wire(port());
    wire.send("GET /stream HTTP/1.1\r\nhost: here\r\n\r\n");
    const auto outlet = streams_.outlet();
    outlet->send(piece_of("first"));
    outlet->send(piece_of(std::string(40, 'x')));
    outlet->end(piece_of("last"), Outlet::Unsent::keep);
    const std::string all = wire.receive_all();
    EXPECT_THAT(all, HasSubstr("transfer-encoding: chunked\r\nconnection: close\r\n\r\n"));
    EXPECT_THAT(
        all, EndsWith("\r\n\r\n5\r\nfirst\r\n28\r\n" + std::string(40, 'x') + "\r\n4\r\nlast\r\n0\r\n\r\n"));
    EXPECT_TRUE(all_closed(1));
}

TEST_F(StreamTest, comes_plain_to_who_knows_no_chunks) {
    start();
    test::Wire wire(port());
    wire.send("GET /stream HTTP/1.0\r\nhost: here\r\n\r\n");
    streams_.outlet()->end(piece_of("all"), Outlet::Unsent::keep);
    EXPECT_THAT(wire.receive_all(), EndsWith("connection: close\r\n\r\nall"));
}

TEST_F(StreamTest, comes_over_http2_beside_other_requests) {
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    const std::int32_t stream = client.begin("GET", "/stream", {}, {});
    client.flush();
    const auto outlet = streams_.outlet();
    outlet->send(piece_of("first "));
    EXPECT_EQ(client.ask("GET", "/ws").status, 426);
    outlet->send(piece_of(std::string(200'000, 'x')));
    outlet->end(piece_of(" last"), Outlet::Unsent::keep);
    const Reply reply = client.finish(stream);
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream");
    EXPECT_FALSE(reply.headers.contains("content-length"));
    EXPECT_THAT(reply.body, StartsWith("first xx"));
    EXPECT_THAT(reply.body, EndsWith("xx last"));
    EXPECT_EQ(reply.body.size(), 200'011U);
    EXPECT_TRUE(all_closed(1));
}

TEST_F(StreamTest, ends_when_the_client_leaves) {
    start();
    {
        test::Wire wire(port());
        wire.send("GET /stream HTTP/1.1\r\nhost: here\r\n\r\n");
        streams_.outlet();
        test::Wire second(port());
        Http2Client client(second);
        client.begin("GET", "/stream", {}, {});
        client.flush();
        EXPECT_TRUE(eventually([&] {
            const std::lock_guard lock(streams_.seen.mutex);
            return streams_.seen.outlets.size() == 2;
        }));
    }
    EXPECT_TRUE(all_closed(2));
}

TEST_F(StreamTest, ends_when_the_server_stops) {
    start();
    test::Wire first(port()), second(port());
    first.send("GET /stream HTTP/1.1\r\nhost: here\r\n\r\n");
    Http2Client client(second);
    const std::int32_t stream = client.begin("GET", "/stream", {}, {});
    client.flush();
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard lock(streams_.seen.mutex);
        return streams_.seen.outlets.size() == 2;
    }));
    EXPECT_TRUE(server_->drain(10s));
    EXPECT_THAT(first.receive_all(), EndsWith("\r\n\r\n0\r\n\r\n"));
    EXPECT_TRUE(client.finish(stream).complete);
    EXPECT_TRUE(all_closed(2));
}

TEST_F(StreamTest, a_client_that_takes_nothing_is_left) {
    start({.write = 100ms});
    test::Wire wire(port());
    Http2Client client(wire);
    client.begin("GET", "/stream", {}, {});
    client.flush();
    const auto outlet = streams_.outlet();
    // More than the window of a client that does not widen it.
    outlet->send(piece_of(std::string(1 << 20, 'x')));
    outlet->end(nullptr, Outlet::Unsent::keep);
    EXPECT_TRUE(all_closed(1));
}

}  // namespace
}  // namespace obs::net
