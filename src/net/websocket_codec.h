// The frames of one WebSocket, server side. Inside net/ only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "net/protocol.h"
#include "net/session.h"

namespace obs::net {

class WebsocketCodec {
public:
    WebsocketCodec(Wire& wire, Session& session);
    ~WebsocketCodec();
    WebsocketCodec(const WebsocketCodec&) = delete;
    WebsocketCodec& operator=(const WebsocketCodec&) = delete;

    // Messages go to the session; answers to control frames, and farewells, to Wire::output.
    void receive(std::string_view bytes);
    // Asks a client that is silent whether it is there.
    void tick();
    // Says good-bye with that code, unless that was done.
    void close(std::uint16_t code, std::string_view reason);
    // A good-bye was sent, or nobody is there: nothing may follow.
    bool closed() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace obs::net
