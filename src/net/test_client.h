// Small clients for tests: a raw connection and an HTTP/2 client on it. Everything waits for at most
// `patience`.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

namespace obs::net::test {

inline constexpr std::chrono::seconds patience{20};

// Waits until the condition holds; false when it never did.
template <class Condition>
bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        struct timespec pause{0, 2'000'000};
        nanosleep(&pause, nullptr);
    }
    return true;
}

struct Reply {
    int status = 0;
    std::map<std::string, std::string> headers{};
    std::string body{};
    std::map<std::string, std::string> trailers{};
    bool complete = false;
    std::optional<std::uint32_t> reset{};  // HTTP/2: the code of a reset that came before the end
};

class Wire {
public:
    explicit Wire(std::uint16_t port);
    // TLS, offering the protocols of `alpn` (`\x02h2`).
    Wire(std::uint16_t port, std::string_view alpn);
    ~Wire();
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    std::string protocol() const;  // what ALPN chose
    bool send(std::string_view bytes);
    // What has come, at least one byte; empty at the end, or when nothing came.
    std::string receive();
    // Everything until the other side ends.
    std::string receive_all();
    void end_writing();

private:
    int descriptor_ = -1;
    SSL_CTX* context_ = nullptr;
    SSL* ssl_ = nullptr;
};

// HTTP/1.1 as bytes.
class Http1Client {
public:
    explicit Http1Client(Wire& wire) : wire_(wire) {}
    // The next reply; incomplete when the connection ended before it.
    Reply reply(bool without_body = false);
    Reply ask(std::string_view request) {
        wire_.send(request);
        return reply();
    }
    // Whether the other side has ended, with nothing unread.
    bool at_end() { return unread_.empty() && wire_.receive().empty(); }

private:
    Wire& wire_;
    std::string unread_;
};

// `POST path` with that body and further head lines, each ending in CRLF.
std::string post(std::string_view path, std::string_view body, std::string_view lines = "");

class Http2Client {
public:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    explicit Http2Client(Wire& wire);
    ~Http2Client();
    Http2Client(const Http2Client&) = delete;
    Http2Client& operator=(const Http2Client&) = delete;

    // Queues a request. With `open`, the body has no end: more never comes.
    std::int32_t begin(std::string_view method, std::string_view path, const Fields& fields, std::string body,
                       bool open = false);
    // Sends and receives until that request has its whole reply, or the connection ended.
    Reply finish(std::int32_t stream);
    Reply ask(std::string_view method, std::string_view path, const Fields& fields = {},
              std::string body = {}) {
        return finish(begin(method, path, fields, std::move(body)));
    }
    void ping();
    // Sends and receives until the server says good-bye; the code of its GOAWAY.
    std::optional<std::uint32_t> goaway();
    // Sends what is queued.
    bool flush();

private:
    struct Upload {
        std::string body;
        std::size_t sent = 0;
        bool open = false;
    };
    bool turn();
    template <class Done>
    void run_until(Done done);

    Wire& wire_;
    nghttp2_session* session_ = nullptr;
    std::map<std::int32_t, Reply> replies_;
    std::vector<std::unique_ptr<Upload>> uploads_;
    std::optional<std::uint32_t> goaway_;
};

}  // namespace obs::net::test
