// What goes on behind the head of an answer: a body that is written as things happen, or a WebSocket. A
// service gives a Session with its Response; the connection calls it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace obs::net {

// Bytes as they go on the wire. Shared, so that what many clients get is there once.
using Piece = std::shared_ptr<const std::string>;

// The way to one client. Any thread; never waits. What is given to a client that has gone is dropped.
class Outlet {
public:
    virtual ~Outlet() = default;
    // Sent in order; what waits together is one write. Of a WebSocket: whole frames (websocket.h).
    virtual void send(Piece piece) = 0;
    // Bytes that were given and do not fit into the way to the client: a reader who is slow.
    virtual std::size_t waiting() const = 0;

    enum class Unsent { keep, drop };
    // Sends `last`, which may be null, and ends the answer. With `drop`, pieces that were not begun are left
    // out, so that a slow reader still learns why.
    virtual void end(Piece last, Unsent unsent) = 0;
};

// One client of the service. Called on the connection's I/O thread, so nothing here may block.
class Session {
public:
    virtual ~Session() = default;
    // The head is on its way. Not called when the client has gone before that.
    virtual void opened(std::shared_ptr<Outlet> outlet) = 0;
    // A whole text message of a WebSocket, at most Limits::message_bytes of UTF-8.
    virtual void received(std::string_view message) { (void)message; }
    // The client has gone, or the answer has ended. Once, and only after opened().
    virtual void closed() = 0;
};

}  // namespace obs::net
