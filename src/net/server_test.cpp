#include "net/server.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "net/protocol.h"
#include "net/test_client.h"

namespace obs::net {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Http1Client;
using test::Http2Client;
using test::post;
using test::Reply;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t mebi = 1 << 20;

// Answers by path: /file with a part of a file, /echo at once, /later when told to, /never not at all,
// /broken with an exception.
class Echo final : public Service {
public:
    std::variant<Proceed, Response> admit(const RequestHead& head) override {
        if (head.path == "/refused") return Response{.status = 403, .body = "not you"};
        Proceed terms{.body_limit = head.path == "/small" ? 1000 : 64 * mebi};
        if (head.path == "/late") {
            terms.answer_within = 30ms;
            terms.late = [] { return Response{.status = 504, .body = "late"}; };
        }
        return terms;
    }
    void handle(Request request, Respond respond) override {
        const std::string& path = request.head.path;
        if (path == "/broken") throw std::runtime_error("broken");
        if (path == "/never") return;
        if (path == "/later" || path == "/late") {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(std::move(respond));
            return;
        }
        if (path == "/file") {
            const std::uint64_t from = 3;
            return respond({.file = file_.part(from, file_.size() - from)});
        }
        if (path == "/much") return respond({.body = std::string(32 * mebi, 'x')});
        Response response{.headers = {{"thread", fmt::format("{}", std::hash<std::thread::id>{}(
                                                                       std::this_thread::get_id()))}}};
        if (path == "/head") {
            response.body = fmt::format("{} {}?{} {}", request.head.method, path, request.head.query,
                                        request.head.http2 ? "h2" : "h1");
            for (const auto& [name, value] : request.head.headers)
                response.body += fmt::format("\n{}={}", name, value);
        } else {
            response.body = request.body.view();
        }
        if (path == "/trailers") response.trailers.add("grpc-status", "0");
        respond(std::move(response));
    }
    Response refusal(const RequestHead& head, int status, std::string_view reason) override {
        return {.status = status, .body = fmt::format("{} {}", head.path, reason)};
    }

    // What /file answers with behind its first three bytes; the file is gone when this returns.
    void use_file(std::string_view content) {
        const auto path = std::filesystem::temp_directory_path() /
                          fmt::format("observatory-file-{}-{}", ::getpid(), static_cast<void*>(this));
        std::ofstream(path, std::ios::binary) << content;
        file_ = FileBody::open(path).value();
        std::filesystem::remove(path);
    }
    std::size_t waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }
    void answer_all() {
        std::vector<Respond> waiting;
        {
            const std::lock_guard lock(mutex_);
            waiting.swap(waiting_);
        }
        for (const Respond& respond : waiting) respond({.body = "answered"});
    }

private:
    std::mutex mutex_;
    std::vector<Respond> waiting_;
    FileBody file_ = FileBody::open("/proc/self/exe").value();
};

class ServerTest : public testing::Test {
protected:
    void start(Limits limits = {}, std::optional<Tls> tls = std::nullopt) {
        limits.linger = std::min<std::chrono::milliseconds>(limits.linger, linger_);
        auto started =
            Server::start({.threads = threads_, .limits = limits, .budget = &budget_, .workers = &workers_},
                          {{.host = "127.0.0.1", .service = &echo_, .name = "test", .tls = tls}});
        ASSERT_TRUE(started.has_value()) << started.error().message;
        server_ = *std::move(started);
    }
    std::uint16_t port() const { return server_->port(0); }
    bool becomes_empty() {
        return eventually([&] { return server_->stats().connections_open == 0; });
    }

    unsigned threads_ = 2;
    // Clients of tests seldom close by themselves.
    std::chrono::milliseconds linger_{50};
    Echo echo_;
    ByteBudget budget_{{.limit = 8 * mebi}};
    Workers workers_;
    std::unique_ptr<Server> server_;
};

// --- HTTP/1.1
// ---------------------------------------------------------------------------------------------------------

class Http1Test : public ServerTest {};

TEST_F(Http1Test, answers_one_request_after_the_other) {
    start();
    test::Wire wire(port());
    Http1Client client(wire);
    for (const std::string_view body : {"first", "", "third"}) {
        const Reply reply = client.ask(post("/echo", body));
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.body, body);
    }
}

TEST_F(Http1Test, answers_requests_that_came_at_once_in_their_order) {
    start();
    test::Wire wire(port());
    Http1Client client(wire);
    wire.send(post("/later", "a") + post("/echo", "b") + post("/echo", "c"));
    ASSERT_TRUE(eventually([&] { return echo_.waiting() == 1; }));
    echo_.answer_all();
    EXPECT_EQ(client.reply().body, "answered");
    EXPECT_EQ(client.reply().body, "b");
    EXPECT_EQ(client.reply().body, "c");
}

TEST_F(Http1Test, takes_a_request_byte_by_byte) {
    start();
    test::Wire wire(port());
    for (const char c : post("/echo", "slowly")) wire.send({&c, 1});
    EXPECT_EQ(Http1Client(wire).reply().body, "slowly");
}

struct Exchange1 {
    std::string_view what;
    std::string request;
    int status;
    std::string_view body;  // a part of it
    bool stays_open = true;
};
class Http1Exchange : public ServerTest, public testing::WithParamInterface<Exchange1> {
protected:
    // A refused client is still sending: it needs the time to do so.
    Http1Exchange() { linger_ = test::patience; }
};

TEST_P(Http1Exchange, is_answered) {
    Limits limits;
    limits.header_bytes = 4096;
    start(limits);
    const Exchange1& wanted = GetParam();
    test::Wire wire(port());
    Http1Client client(wire);
    wire.send(wanted.request);
    const Reply reply = client.reply();
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.status, wanted.status);
    EXPECT_THAT(reply.body, HasSubstr(wanted.body));
    EXPECT_EQ(reply.headers.contains("connection"), !wanted.stays_open);
    if (wanted.stays_open)
        EXPECT_EQ(client.ask(post("/echo", "next")).body, "next");
    else
        EXPECT_TRUE(client.at_end());
}

std::string chunked(std::string_view path, std::string_view rest) {
    return fmt::format("POST {} HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n{}", path, rest);
}

INSTANTIATE_TEST_SUITE_P(
    Http1, Http1Exchange,
    testing::Values(
        Exchange1{"chunks", chunked("/echo", "3\r\nabc\r\n4;note=1\r\ndefg\r\n0\r\n\r\n"), 200, "abcdefg"},
        Exchange1{"trailers_are_no_headers", chunked("/head", "1\r\nx\r\n0\r\nauthorization: me\r\n\r\n"),
                  200, "transfer-encoding=chunked"},
        Exchange1{"path_and_query_apart", "GET /head?a=1&b=/ HTTP/1.1\r\nhost: here\r\nX-Key:  v \r\n\r\n",
                  200, "GET /head?a=1&b=/ h1\nhost=here\nx-key=v"},
        Exchange1{"a_proxys_target", "GET http://here:80/head?q HTTP/1.1\r\nhost: here\r\n\r\n", 200,
                  "GET /head?q h1"},
        Exchange1{"asked_to_close", post("/echo", "x", "connection: close\r\n"), 200, "x", false},
        Exchange1{"http_1_0", "GET /echo HTTP/1.0\r\n\r\n", 200, "", false},
        Exchange1{"http_1_0_kept_alive", "GET /echo HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", 200, ""},
        Exchange1{"expect_continue", post("/echo", "x", "expect: 100-continue\r\n"), 200, "x"},
        Exchange1{"expect_the_unexpected", post("/echo", "x", "expect: miracles\r\n"), 417, "100-continue",
                  false},
        Exchange1{"refused_by_the_service", post("/refused", "some body"), 403, "not you"},
        Exchange1{"refused_with_much_body_ahead", post("/refused", std::string(2 * mebi, 'x')), 403,
                  "not you", false},
        Exchange1{"too_long_by_its_length", post("/small", std::string(1001, 'x')), 413, "1001 bytes"},
        Exchange1{"too_long_in_chunks",
                  chunked("/small", "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"), 413, "1000 bytes",
                  false},
        Exchange1{"unknown_coding", post("/echo", "x", "content-encoding: br\r\n"), 415, "zstd"},
        Exchange1{"broken_coding", post("/echo", "no gzip", "content-encoding: gzip\r\n"), 400, "broken"},
        Exchange1{"nobody_answers", post("/never", "x"), 500, ""},
        Exchange1{"the_service_fails", post("/broken", "x"), 500, "internal error"},
        Exchange1{"too_late", post("/late", "x"), 504, "late"},
        Exchange1{"no_http", "how are you?\r\n\r\n", 400, "not HTTP/1.1", false},
        Exchange1{"two_lengths", "POST /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
                  400, "", false},
        Exchange1{"length_and_chunks", chunked("/echo", "").insert(20, "\r\ncontent-length: 1"), 400, "",
                  false},
        Exchange1{"blank_before_the_colon", "GET /echo HTTP/1.1\r\nhost : x\r\n\r\n", 400, "", false},
        Exchange1{"big_head", "GET /echo HTTP/1.1\r\nx: " + std::string(5000, 'x') + "\r\n\r\n", 431, "4096",
                  false},
        Exchange1{"endless_chunk_line", chunked("/echo", "1;" + std::string(80'000, 'x')), 400, "", false}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(Http1Test, sends_a_file_before_the_answers_behind_it) {
    std::string content(5 * mebi, 'f');
    for (std::size_t i = 0; i < content.size(); i += 1000)
        content[i] = static_cast<char>('a' + i / 1000 % 26);
    echo_.use_file(content);
    start();
    test::Wire wire(port());
    Http1Client client(wire);
    wire.send(post("/file", "") + post("/echo", "behind it") + post("/file", "", "connection: close\r\n"));
    EXPECT_TRUE(client.reply().body == content.substr(3));
    EXPECT_EQ(client.reply().body, "behind it");
    EXPECT_TRUE(client.reply().body == content.substr(3));
    EXPECT_TRUE(client.at_end());
}

TEST_F(Http1Test, sends_a_file_of_nothing) {
    echo_.use_file("abc");
    start();
    test::Wire wire(port());
    Http1Client client(wire);
    const Reply reply = client.ask(post("/file", ""));
    EXPECT_EQ(reply.headers.at("content-length"), "0");
    EXPECT_EQ(client.ask(post("/echo", "and goes on")).body, "and goes on");
}

TEST_F(Http1Test, sends_no_body_for_head) {
    start();
    test::Wire wire(port());
    Http1Client client(wire);
    wire.send("HEAD /head HTTP/1.1\r\nhost: here\r\n\r\n");
    EXPECT_NE(client.reply(true).headers.at("content-length"), "0");
    EXPECT_EQ(client.ask(post("/echo", "next")).body, "next");
}

TEST_F(Http1Test, answers_a_client_that_has_ended) {
    start();
    test::Wire wire(port());
    wire.send(post("/later", "x"));
    wire.end_writing();
    ASSERT_TRUE(eventually([&] { return echo_.waiting() == 1; }));
    echo_.answer_all();
    EXPECT_EQ(Http1Client(wire).reply().body, "answered");
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http1Test, handles_big_bodies_on_a_worker) {
    Limits limits;
    limits.inline_body = 1000;
    start(limits);
    test::Wire wire(port());
    Http1Client client(wire);
    const std::string inline_thread = client.ask(post("/echo", "small")).headers.at("thread");
    const Reply big = client.ask(post("/echo", std::string(1001, 'x')));
    EXPECT_EQ(big.body.size(), 1001U);
    EXPECT_NE(big.headers.at("thread"), inline_thread);
    EXPECT_EQ(client.ask(post("/echo", "small")).headers.at("thread"), inline_thread);
}

// --- time
// -------------------------------------------------------------------------------------------------------------

TEST_F(Http1Test, ends_a_connection_that_sends_nothing) {
    Limits limits;
    limits.first_bytes = 40ms;
    start(limits);
    test::Wire wire(port());
    EXPECT_EQ(wire.receive(), "");
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http1Test, ends_an_idle_connection) {
    Limits limits;
    limits.idle = 40ms;
    start(limits);
    test::Wire wire(port());
    Http1Client client(wire);
    EXPECT_EQ(client.ask(post("/echo", "x")).status, 200);
    EXPECT_TRUE(client.at_end());
}

TEST_F(Http1Test, refuses_a_head_that_comes_too_slowly) {
    Limits limits;
    limits.header = 40ms;
    start(limits);
    test::Wire wire(port());
    EXPECT_EQ(Http1Client(wire).ask("POST /echo HTTP/1.1\r\nhost:").status, 408);
}

TEST_F(Http1Test, refuses_a_body_that_comes_too_slowly) {
    Limits limits;
    limits.body_grace = 40ms;
    start(limits);
    test::Wire wire(port());
    EXPECT_EQ(Http1Client(wire).ask("POST /echo HTTP/1.1\r\ncontent-length: 10\r\n\r\nx").status, 408);
}

TEST_F(Http1Test, ends_a_client_that_does_not_read) {
    Limits limits;
    limits.write = 50ms;
    start(limits);
    test::Wire wire(port());
    wire.send(post("/much", "x"));
    EXPECT_TRUE(eventually([&] { return server_->stats().connections_total == 1; }));
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http1Test, ends_a_refused_client_that_goes_on_sending) {
    start();
    test::Wire wire(port());
    EXPECT_EQ(Http1Client(wire).ask("POST /refused HTTP/1.1\r\ncontent-length: 99999999\r\n\r\nx").status,
              403);
    EXPECT_TRUE(becomes_empty());
}

// --- room
// -------------------------------------------------------------------------------------------------------------

TEST_F(Http1Test, refuses_bodies_when_the_budget_is_used_up_and_recovers) {
    linger_ = test::patience;  // the refused client is still sending
    start();
    // Room enough to begin, but not for this body.
    std::optional<ByteBudget::Token> taken =
        budget_.acquire(budget_.limit() / 4 * 3 - 1, ByteBudget::Use::queue);
    test::Wire wire(port());
    wire.send(post("/echo", std::string(3 * mebi, 'x')));
    Http1Client client(wire);
    EXPECT_EQ(client.reply().status, 503);
    taken.reset();
    test::Wire again(port());
    EXPECT_EQ(Http1Client(again).ask(post("/echo", std::string(3 * mebi, 'x'))).status, 200);
    EXPECT_TRUE(eventually([&] { return budget_.used() == 0; }));
}

TEST_F(Http1Test, refuses_connections_above_the_limit) {
    Limits limits;
    limits.connections = 1;
    start(limits);
    std::optional<test::Wire> first(port());
    EXPECT_EQ(Http1Client(*first).ask(post("/echo", "x")).status, 200);
    test::Wire second(port());
    EXPECT_EQ(second.receive(), "");
    EXPECT_EQ(server_->stats().connections_refused, 1U);
    first.reset();
    ASSERT_TRUE(becomes_empty());
    test::Wire third(port());
    EXPECT_EQ(Http1Client(third).ask(post("/echo", "x")).status, 200);
}

// A protocol without a socket: when it wants to be fed.
class ProtocolTest : public testing::TestWithParam<bool> {
protected:
    ProtocolTest() : wire_{.around = {&echo_, &limits_, &budget_, &workers_}} {
        class Nowhere final : public Recipient {
            void deliver(std::uint32_t, Response) override {}
            void wake(std::uint32_t) override {}
        };
        recipient_ = std::make_shared<Nowhere>();
        wire_.recipient = recipient_;
        wire_.mailbox = std::make_shared<Mailbox>([] {});
        wire_.now = std::chrono::steady_clock::now();
    }
    Echo echo_;
    Limits limits_;
    ByteBudget budget_;
    Workers workers_;
    std::shared_ptr<Recipient> recipient_;
    Wire wire_;
};

TEST_F(ProtocolTest, begins_nothing_new_under_pressure_and_ends_what_began) {
    const std::unique_ptr<Protocol> http1 = make_http1(wire_);
    EXPECT_TRUE(http1->wants_input(false));
    EXPECT_FALSE(http1->wants_input(true));
    http1->receive("POST /later HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf.");
    EXPECT_TRUE(http1->wants_input(true));
    http1->receive(" done");
    EXPECT_FALSE(http1->wants_input(false)) << "the service has it";
}

// --- farewell
// ---------------------------------------------------------------------------------------------------------

TEST_F(Http1Test, drains) {
    threads_ = 1;  // when one connection has heard of it, all have
    start();
    test::Wire idle(port()), busy(port());
    EXPECT_EQ(Http1Client(idle).ask(post("/echo", "x")).status, 200);
    busy.send(post("/later", "x"));
    ASSERT_TRUE(eventually([&] { return echo_.waiting() == 1; }));
    bool drained = false;
    std::jthread draining([&] { drained = server_->drain(test::patience); });
    EXPECT_EQ(idle.receive(), "") << "nothing was open here";
    echo_.answer_all();
    const Reply reply = Http1Client(busy).reply();
    EXPECT_EQ(reply.body, "answered");
    EXPECT_EQ(reply.headers.at("connection"), "close");
    draining.join();
    EXPECT_TRUE(drained);
    EXPECT_ANY_THROW(test::Wire{port()});
}

TEST_F(Http1Test, gives_up_draining_at_the_deadline) {
    start();
    test::Wire wire(port());
    wire.send(post("/later", "x"));
    ASSERT_TRUE(eventually([&] { return echo_.waiting() == 1; }));
    EXPECT_FALSE(server_->drain(20ms));
    server_.reset();
    echo_.answer_all();  // nobody is there any more, which is no error
}

// --- HTTP/2
// -----------------------------------------------------------------------------------------------------------

class Http2Test : public ServerTest {};

TEST_F(Http2Test, is_told_apart_from_http1_on_the_same_port) {
    start();
    test::Wire one(port()), two(port());
    EXPECT_THAT(Http1Client(one).ask(post("/head", "")).body, StartsWith("POST /head? h1"));
    EXPECT_THAT(Http2Client(two).ask("POST", "/head?x=1", {{"a", "b"}}).body,
                StartsWith("POST /head?x=1 h2\nhost=here\na=b"));
}

TEST_F(Http2Test, is_told_apart_even_byte_by_byte) {
    start();
    test::Wire wire(port());
    const std::string_view empty_settings("\0\0\0\4\0\0\0\0\0", 9);
    for (const char c : std::string(http2_preface) + std::string(empty_settings)) wire.send({&c, 1});
    EXPECT_EQ(wire.receive().substr(3, 1), "\4") << "a SETTINGS frame";
}

TEST_F(Http2Test, answers_many_requests_at_once) {
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    std::vector<std::int32_t> streams;
    for (int n = 0; n < 100; ++n)
        streams.push_back(client.begin("POST", "/echo", {}, std::string(n * 300, 'x')));
    for (int n = 0; n < 100; ++n) {
        const Reply reply = client.finish(streams[n]);
        EXPECT_EQ(reply.status, 200);
        EXPECT_EQ(reply.body.size(), n * 300U);
    }
}

TEST_F(Http2Test, takes_and_sends_bodies_beyond_the_windows) {
    start({.stream_window = 65'535, .connection_window = 100'000});
    test::Wire wire(port());
    Http2Client client(wire);
    const Reply reply = client.ask("POST", "/echo", {}, std::string(3 * mebi, 'x'));
    EXPECT_EQ(reply.body.size(), 3 * mebi);
}

TEST_F(Http2Test, sends_files_beyond_the_windows_beside_each_other) {
    const std::string content(3 * mebi, 'f');
    echo_.use_file(content);
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    const auto first = client.begin("GET", "/file", {}, ""), second = client.begin("GET", "/file", {}, "");
    for (const auto stream : {second, first}) {
        const Reply reply = client.finish(stream);
        EXPECT_EQ(reply.headers.at("content-length"), std::to_string(content.size() - 3));
        EXPECT_TRUE(reply.body == content.substr(3));
    }
}

TEST_F(Http2Test, sends_trailers) {
    start();
    test::Wire wire(port());
    const Reply reply = Http2Client(wire).ask("POST", "/trailers", {{"te", "trailers"}}, "x");
    EXPECT_EQ(reply.body, "x");
    EXPECT_EQ(reply.trailers.at("grpc-status"), "0");
    EXPECT_FALSE(reply.headers.contains("content-length"));
}

TEST_F(Http2Test, refuses_one_request_and_serves_the_next) {
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    EXPECT_EQ(client.ask("POST", "/small", {}, std::string(2 * mebi, 'x')).status, 413);
    EXPECT_EQ(client.ask("POST", "/small", {{"content-length", "1001"}}, std::string(1001, 'x')).status, 413);
    EXPECT_EQ(client.ask("POST", "/refused", {}, "x").status, 403);
    EXPECT_EQ(client.ask("POST", "/echo", {{"content-encoding", "br"}}, "x").status, 415);
    EXPECT_EQ(client.ask("POST", "/echo", {{"content-encoding", "zstd"}}, "x").status, 400);
    EXPECT_EQ(client.ask("POST", "/echo", {{"big", std::string(20'000, 'x')}}, "x").status, 431);
    EXPECT_EQ(client.ask("POST", "/never", {}, "x").status, 500);
    EXPECT_EQ(client.ask("POST", "/broken", {}, "x").status, 500);
    EXPECT_EQ(client.ask("POST", "/late", {}, "x").status, 504);
    EXPECT_EQ(client.ask("HEAD", "/head").body, "");
    EXPECT_EQ(client.ask("POST", "/echo", {}, "x").body, "x");
}

TEST_F(Http2Test, resets_a_refused_request_that_goes_on) {
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    const std::int32_t refused = client.begin("POST", "/refused", {}, "x", true);
    EXPECT_EQ(client.finish(refused).status, 403);
    // Draining waits for the stream, so it must end by itself.
    client.flush();
    EXPECT_TRUE(server_->drain(test::patience));
}

TEST_F(Http2Test, refuses_a_body_that_comes_too_slowly) {
    start({.body_grace = 40ms});
    test::Wire wire(port());
    Http2Client client(wire);
    EXPECT_EQ(client.finish(client.begin("POST", "/echo", {}, "half", true)).status, 408);
}

TEST_F(Http2Test, refuses_a_body_without_room) {
    start();
    std::optional<ByteBudget::Token> taken = budget_.acquire(budget_.limit() / 2, ByteBudget::Use::queue);
    test::Wire wire(port());
    Http2Client client(wire);
    EXPECT_EQ(client.ask("POST", "/echo", {}, std::string(5 * mebi, 'x')).status, 503);
    taken.reset();
    EXPECT_EQ(client.ask("POST", "/echo", {}, std::string(3 * mebi, 'x')).status, 200);
}

TEST_F(Http2Test, says_goodbye_to_an_idle_connection) {
    start({.idle_http2 = 40ms});
    test::Wire wire(port());
    EXPECT_EQ(Http2Client(wire).goaway(), std::uint32_t{NGHTTP2_NO_ERROR});
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http2Test, asks_a_silent_client_and_ends_a_dead_one) {
    start({.ping = 40ms});
    test::Wire wire(port());
    Http2Client client(wire);
    client.flush();
    const std::string all = wire.receive_all();
    EXPECT_THAT(all, HasSubstr(std::string_view("\0\0\x08\x06\0", 5))) << "a PING";
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http2Test, ends_a_flood_of_pings) {
    start({.control_frames_per_second = 100});
    test::Wire wire(port());
    Http2Client client(wire);
    for (int n = 0; n < 300; ++n) client.ping();
    EXPECT_EQ(client.goaway(), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http2Test, ends_what_is_no_http2) {
    start();
    test::Wire wire(port());
    wire.send(std::string(http2_preface) + std::string(100, 'x'));
    wire.receive_all();
    EXPECT_TRUE(becomes_empty());
}

TEST_F(Http2Test, drains) {
    start();
    test::Wire wire(port());
    Http2Client client(wire);
    const std::int32_t open = client.begin("POST", "/later", {}, "x");
    client.flush();
    ASSERT_TRUE(eventually([&] { return echo_.waiting() == 1; }));
    bool drained = false;
    std::jthread draining([&] { drained = server_->drain(test::patience); });
    EXPECT_EQ(client.goaway(), std::uint32_t{NGHTTP2_NO_ERROR});
    echo_.answer_all();
    EXPECT_EQ(client.finish(open).body, "answered");
    draining.join();
    EXPECT_TRUE(drained);
}

TEST_F(Http2Test, survives_clients_that_vanish) {
    start();
    for (int n = 0; n < 50; ++n) {
        test::Wire wire(port());
        Http2Client client(wire);
        client.begin("POST", "/later", {}, std::string(1000, 'x'));
        client.begin("POST", "/echo", {}, std::string(100, 'x'), true);
        client.flush();
    }
    EXPECT_TRUE(becomes_empty());
    echo_.answer_all();
    test::Wire wire(port());
    EXPECT_EQ(Http2Client(wire).ask("POST", "/echo", {}, "x").body, "x");
    EXPECT_TRUE(eventually([&] { return budget_.used() == 0; }));
}

// --- TLS
// --------------------------------------------------------------------------------------------------------------

class TlsTest : public ServerTest {
protected:
    TlsTest() {
        std::string name = (std::filesystem::temp_directory_path() / "net-tls-XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
        EVP_PKEY* key = EVP_EC_gen("P-256");
        X509* certificate = X509_new();
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        X509_sign(certificate, key, EVP_sha256());
        FILE* file = std::fopen(files().certificate.c_str(), "w");
        PEM_write_X509(file, certificate);
        std::fclose(file);
        file = std::fopen(files().key.c_str(), "w");
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    ~TlsTest() override { std::filesystem::remove_all(directory_); }
    Tls files() const { return {directory_ / "cert.pem", directory_ / "key.pem"}; }

    std::filesystem::path directory_;
};

TEST_F(TlsTest, speaks_http2_to_who_offers_it) {
    start({}, files());
    test::Wire wire(port(), "\x02h2\x08http/1.1");
    EXPECT_EQ(wire.protocol(), "h2");
    EXPECT_EQ(Http2Client(wire).ask("POST", "/echo", {}, std::string(mebi, 'x')).body.size(), mebi);
}

TEST_F(TlsTest, speaks_http1_to_who_offers_only_that) {
    start({}, files());
    test::Wire wire(port(), "\x08http/1.1");
    EXPECT_EQ(wire.protocol(), "http/1.1");
    Http1Client client(wire);
    EXPECT_EQ(client.ask(post("/echo", std::string(mebi, 'x'))).body.size(), mebi);
    EXPECT_EQ(client.ask(post("/echo", "again")).body, "again");
}

TEST_F(TlsTest, ends_a_client_without_tls) {
    start({}, files());
    test::Wire wire(port());
    wire.send(post("/echo", "x"));
    EXPECT_THAT(wire.receive_all(), testing::Not(HasSubstr("200")));
    EXPECT_TRUE(becomes_empty());
}

TEST_F(TlsTest, ends_a_handshake_that_stops) {
    start({.first_bytes = 40ms}, files());
    test::Wire wire(port());
    wire.send("\x16\x03\x01");
    wire.receive_all();
    EXPECT_TRUE(becomes_empty());
}

TEST_F(TlsTest, says_which_file_it_cannot_read) {
    const auto started =
        Server::start({.budget = &budget_, .workers = &workers_},
                      {{.host = "127.0.0.1", .service = &echo_, .tls = Tls{"/no/cert.pem", "/no/key.pem"}}});
    ASSERT_FALSE(started.has_value());
    EXPECT_THAT(started.error().message, HasSubstr("/no/cert.pem"));
}

TEST_F(ServerTest, says_that_a_port_is_taken) {
    start();
    const auto second = Server::start({.budget = &budget_, .workers = &workers_},
                                      {{.host = "127.0.0.1", .port = port(), .service = &echo_}});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().kind, ErrorKind::unavailable);
}

TEST_F(ServerTest, ends_a_tls_greeting_on_a_port_without_tls) {
    start();
    test::Wire wire(port());
    wire.send("\x16\x03\x01\x02");
    EXPECT_EQ(wire.receive_all(), "");
}

}  // namespace
}  // namespace obs::net
