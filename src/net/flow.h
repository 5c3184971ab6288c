// The queue between whoever gives a client bytes and the connection that sends them. Inside net/ only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "net/protocol.h"
#include "net/session.h"

namespace obs::net {

class Flow final : public Outlet {
public:
    // Tells Recipient::wake() of `request` when there is something to send.
    Flow(const Wire& wire, std::uint32_t request)
        : mailbox_(wire.mailbox), recipient_(wire.recipient), request_(request) {}

    void send(Piece piece) override;
    std::size_t waiting() const override;
    void end(Piece last, Unsent unsent) override;

    // From here on the connection alone.
    // The next piece to send; null when there is none now.
    Piece next();
    // Nothing more will be given.
    bool ending() const;
    // The same, and everything was taken.
    bool ended() const;
    // The client has gone.
    void close();

private:
    void wake_up(bool needed);

    const std::shared_ptr<Mailbox> mailbox_;
    const std::weak_ptr<Recipient> recipient_;
    const std::uint32_t request_;

    mutable std::mutex mutex_;
    std::deque<Piece> pieces_;
    std::size_t waiting_ = 0;
    bool ended_ = false;
    bool woken_ = false;  // the connection was told and has not looked yet
};

}  // namespace obs::net
