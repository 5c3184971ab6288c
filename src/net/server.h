// Sockets to requests: every port takes HTTP/1.1 and HTTP/2 (prior knowledge, or ALPN under TLS), told apart
// by the connection's first bytes. A connection lives on one I/O thread for all its life.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_budget.h"
#include "base/result.h"
#include "net/http.h"
#include "net/workers.h"

namespace obs::net {

// PEM files; the certificate may be followed by its chain.
struct Tls {
    std::filesystem::path certificate, key;
};

struct Listener {
    std::string host;        // an address or a name; every interface: 0.0.0.0 or ::
    std::uint16_t port = 0;  // 0 takes a free one
    Service* service = nullptr;
    std::string name{};  // for the log
    std::optional<Tls> tls{};
};

struct Limits {
    std::size_t connections = 4096;
    std::size_t header_bytes = 16 << 10;
    // Bodies above this size are decompressed and handled on the workers, so that they hold no connection up.
    std::size_t inline_body = 4 << 20;

    std::uint32_t streams = 128;  // per HTTP/2 connection
    std::int32_t stream_window = 1 << 20;
    std::int32_t connection_window = 8 << 20;
    std::uint32_t control_frames_per_second = 1000;  // PING, SETTINGS, RST_STREAM ...: above it is a flood

    std::chrono::milliseconds first_bytes{10'000};  // TLS handshake included
    std::chrono::milliseconds header{10'000};
    std::chrono::milliseconds idle{75'000};         // HTTP/1.1 between requests
    std::chrono::milliseconds idle_http2{300'000};  // without a stream
    std::chrono::milliseconds ping{60'000};  // HTTP/2 silence before we ask; no answer within it: closed
    std::chrono::milliseconds body_grace{30'000};      // a body may take this long ...
    std::size_t body_bytes_per_second = 64 << 10;      // ... and a second more for so many received bytes
    std::chrono::milliseconds write{15'000};           // without progress
    std::size_t message_bytes = 64 << 10;              // of a WebSocket's client; all fragments together
    std::uint32_t frames_per_second = 100;             // of a WebSocket's client, control frames included
    std::chrono::milliseconds websocket_ping{30'000};  // silence before we ask; no answer within it: closed
    std::chrono::milliseconds linger{
        10'000};  // reading on after a refusal, so that the client gets to read it
};

struct ServerStats {
    std::size_t connections_open = 0;
    std::uint64_t connections_total = 0;
    std::uint64_t connections_refused = 0;  // over Limits::connections
};

class Server {
public:
    struct Options {
        unsigned threads = 0;  // I/O threads; 0: one per core
        Limits limits{};
        ByteBudget* budget = nullptr;  // required; outlives the server
        Workers* workers = nullptr;    // required; outlives the server
    };

    // Every listener is bound when this returns, or none is. Services outlive the server.
    // SIGPIPE is ignored from here on, for the whole process.
    // Fails with `invalid_input` (address, certificate) or `unavailable` (port taken).
    static Result<std::unique_ptr<Server>> start(Options options, std::vector<Listener> listeners);
    // Closes what is still open, without a farewell.
    ~Server();

    // The port that listener number `listener` is bound to.
    std::uint16_t port(std::size_t listener) const;

    // Accepts nothing more, says good-bye (GOAWAY, `Connection: close`), and waits for open requests to be
    // answered. False when some were still open at the deadline. Call once, from a thread that is not an I/O
    // thread.
    bool drain(std::chrono::milliseconds deadline);

    ServerStats stats() const;

private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace obs::net
