// What a connection and its wire protocol tell each other. Inside net/ only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http.h"
#include "net/output.h"
#include "net/server.h"

namespace obs::net {

using Time = std::chrono::steady_clock::time_point;

// Somebody on an I/O thread who waits for the answer to request number `request`.
class Recipient {
public:
    virtual ~Recipient() = default;
    virtual void deliver(std::uint32_t request, Response response) = 0;
    // There is something to send in the answer that was begun.
    virtual void wake(std::uint32_t request) = 0;
};

struct Mail {
    std::weak_ptr<Recipient> to;
    std::uint32_t request = 0;
    std::optional<Response> response;  // nothing: wake()
};

// Answers on their way to an I/O thread, from any thread. Many answers cost one wake-up.
class Mailbox {
public:
    // `wake` must make the I/O thread call take() soon; it is called without a lock, from any thread.
    explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

    void post(Mail mail) {
        bool first = false;
        {
            const std::lock_guard lock(mutex_);
            first = mail_.empty();
            mail_.push_back(std::move(mail));
        }
        if (first) wake_();
    }
    std::vector<Mail> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(mail_, {});
    }

private:
    const std::function<void()> wake_;
    std::mutex mutex_;
    std::vector<Mail> mail_;
};

// What every connection of a listener shares.
struct Surroundings {
    Service* service;
    const Limits* limits;
    ByteBudget* budget;
    Workers* workers;
};

// One connection as its protocol sees it. The protocol lives no longer than this.
struct Wire {
    Surroundings around;
    std::string peer{};
    bool tls = false;
    bool on_loopback = true;
    std::shared_ptr<Mailbox> mailbox{};
    std::weak_ptr<Recipient> recipient{};
    Output output{};
    Time now{};  // when the current event began
};

// Bytes of a connection in, bytes into Wire::output out; knows no socket. One thread.
class Protocol {
public:
    virtual ~Protocol() = default;
    virtual void receive(std::string_view bytes) = 0;
    // The client has sent its last byte.
    virtual void end_of_input() = 0;
    virtual void respond(std::uint32_t request, Response response) = 0;
    // The session of that request has something to send.
    virtual void wake(std::uint32_t request) = 0;
    // Adds to Wire::output what may be sent now; called whenever there is room.
    virtual void fill_output() = 0;
    // Looks at the clock: several times in the shortest timeout.
    virtual void tick() = 0;
    // No new requests; those that are open go on.
    virtual void drain() = 0;
    // Whether bytes are wanted when the budget is (not) under pressure.
    virtual bool wants_input(bool pressure) const = 0;
    // Nothing more will come: the connection ends when the output is written.
    virtual bool finished() const = 0;
    // Requests that are not answered; an answer that goes on for ever is one.
    virtual bool busy() const = 0;
};

std::unique_ptr<Protocol> make_http1(Wire& wire);
std::unique_ptr<Protocol> make_http2(Wire& wire);
// The first bytes of every HTTP/2 connection.
inline constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// `Tue, 24 Nov 2026 16:07:39 GMT`, of now.
std::string_view http_date();

}  // namespace obs::net
