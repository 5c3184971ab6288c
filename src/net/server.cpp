#include "net/server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <fmt/format.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "net/channel.h"
#include "net/protocol.h"

namespace obs::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t read_bytes = 128 << 10;
// A connection that sends without end lets the others have their turn after so many reads.
constexpr int reads_in_a_row = 4;
// A client that does not take what we sent is not read from.
constexpr std::size_t clogged = 1 << 20;
constexpr std::chrono::milliseconds pressure_poll{20};

class Connection;

// One I/O thread and the connections that live on it.
class Loop {
public:
    explicit Loop(const Limits& limits);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    asio::io_context& context() { return *context_; }
    const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
    std::size_t connections() const { return open_.load(std::memory_order_relaxed); }
    // Only on this thread from here.
    std::span<char> read_buffer() { return {read_buffer_.get(), read_bytes}; }
    void add(const std::shared_ptr<Connection>& connection);
    void remove(const std::shared_ptr<Connection>& connection);
    // Calls the connection again soon: it does not read because the budget is under pressure.
    void resume_later(std::weak_ptr<Connection> connection);
    void deliver_mail();

    // From any thread: a farewell to every connection, and then `idle` once none is busy.
    void drain(std::function<void()> idle);
    void reserve_place() { open_.fetch_add(1, std::memory_order_relaxed); }
    void stop();

private:
    void tick();
    void resume();
    void tell_when_idle();

    std::shared_ptr<asio::io_context> context_ = std::make_shared<asio::io_context>(1);
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_->get_executor()};
    std::shared_ptr<Mailbox> mailbox_;
    std::chrono::milliseconds period_;
    asio::steady_timer clock_{*context_}, pressure_clock_{*context_};
    std::unique_ptr<char[]> read_buffer_ = std::make_unique_for_overwrite<char[]>(read_bytes);
    std::unordered_set<std::shared_ptr<Connection>> connections_;
    std::vector<std::weak_ptr<Connection>> paused_;
    std::function<void()> on_idle_;
    bool draining_ = false;
    std::atomic<std::size_t> open_{0};
    std::jthread thread_;  // last: it uses everything above
};

// A socket, its protocol once the first bytes have told which, and the time each of them has.
class Connection final : public Recipient, public std::enable_shared_from_this<Connection> {
public:
    Connection(Loop& loop, tcp::socket socket, Wire wire, SSL_CTX* tls)
        : loop_(loop),
          socket_(std::move(socket)),
          channel_(socket_.native_handle(), tls),
          wire_(std::move(wire)),
          opened_(std::chrono::steady_clock::now()) {}

    void start(bool draining) {
        wire_.recipient = weak_from_this();
        wire_.now = opened_;
        if (draining) return close();
        arm();
    }

    void deliver(std::uint32_t request, Response response) override {
        if (!protocol_ || closed_) return;
        wire_.now = std::chrono::steady_clock::now();
        protocol_->respond(request, std::move(response));
        flush();
    }

    void wake(std::uint32_t request) override {
        if (!protocol_ || closed_) return;
        wire_.now = std::chrono::steady_clock::now();
        protocol_->wake(request);
        flush();
    }

    void resume() {
        paused_ = false;
        if (!closed_) arm();
    }

    void drain() {
        if (closed_) return;
        wire_.now = std::chrono::steady_clock::now();
        if (!protocol_) return close();
        protocol_->drain();
        flush();
    }

    void tick(Time now) {
        if (closed_) return;
        wire_.now = now;
        const Limits& limits = *wire_.around.limits;
        // Not reading is our own choice then.
        if (!protocol_ && wire_.around.budget->under_pressure()) opened_ = now;
        if (!protocol_ && now - opened_ > limits.first_bytes) return close();
        if (lingering_since_ && now - *lingering_since_ > limits.linger) return close();
        if (!wire_.output.empty() && now - wrote_ > limits.write) return close();
        if (!protocol_ || lingering_since_) return;
        protocol_->tick();
        flush();
    }

    // Somebody waits for an answer, or for the rest of one.
    bool busy() const {
        return !closed_ && !lingering_since_ && ((protocol_ && protocol_->busy()) || !wire_.output.empty());
    }

    void close() {
        if (std::exchange(closed_, true)) return;
        error_code ignored;
        socket_.close(ignored);
        loop_.remove(shared_from_this());
    }

private:
    void arm() {
        if (closed_) return;
        if (wants_input() && !reading_) wait_readable();
        if ((!wire_.output.empty() || read_wants_write_) && !writing_) wait_writable();
    }

    bool wants_input() {
        if (lingering_since_ || write_wants_read_) return true;
        if (wire_.output.size() > clogged) return false;
        const bool pressure = wire_.around.budget->under_pressure();
        if (protocol_ ? protocol_->wants_input(pressure) : !pressure) return true;
        if (pressure && !std::exchange(paused_, true)) loop_.resume_later(weak_from_this());
        return false;
    }

    void wait_readable() {
        reading_ = true;
        socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code failed) {
            self->reading_ = false;
            if (failed || self->closed_) return;
            self->on_ready();
        });
    }
    void wait_writable() {
        writing_ = true;
        socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](error_code failed) {
            self->writing_ = false;
            if (failed || self->closed_) return;
            self->on_ready();
        });
    }

    void on_ready() {
        wire_.now = std::chrono::steady_clock::now();
        read();
        flush();
        loop_.deliver_mail();
    }

    void read() {
        read_wants_write_ = false;
        const std::span<char> buffer = loop_.read_buffer();
        // A read takes a whole TLS record, so that nothing decrypted is left for the next wait to miss.
        for (int n = 0; n < (channel_.encrypted() ? 8 : 1) * reads_in_a_row && !closed_ && wants_input();
             ++n) {
            const Step step = channel_.read(buffer);
            switch (step.progress) {
                case Progress::moved: receive({buffer.data(), step.bytes}); break;
                case Progress::wait_read: return;
                case Progress::wait_write: read_wants_write_ = true; return;
                case Progress::ended: return end_of_input();
                case Progress::broken: return close();
            }
            if (!channel_.encrypted() && step.bytes < buffer.size()) return;
        }
    }

    void receive(std::string_view bytes) {
        if (lingering_since_) return;
        if (protocol_) return protocol_->receive(bytes);
        first_bytes_ += bytes;
        const std::string_view start = std::string_view(first_bytes_).substr(0, http2_preface.size());
        if (start.size() < http2_preface.size() && http2_preface.starts_with(start)) return;
        if (start.starts_with('\x16') && !channel_.encrypted()) {
            log::info("net: a TLS greeting came to a port without TLS, from {}", wire_.peer);
            return close();
        }
        protocol_ = start == http2_preface ? make_http2(wire_) : make_http1(wire_);
        protocol_->receive(std::exchange(first_bytes_, {}));
    }

    void end_of_input() {
        if (!protocol_ || lingering_since_) return close();
        protocol_->end_of_input();
    }

    void flush() {
        if (closed_) return;
        write_wants_read_ = false;
        if (!unsent_) wrote_ = wire_.now;
        for (;;) {
            if (protocol_) protocol_->fill_output();
            if (wire_.output.empty()) break;
            const Step step = channel_.write(wire_.output);
            if (step.progress == Progress::wait_read) write_wants_read_ = true;
            if (step.progress == Progress::broken || step.progress == Progress::ended) return close();
            if (step.progress != Progress::moved) break;
            wrote_ = wire_.now;
        }
        unsent_ = !wire_.output.empty();
        if (protocol_ && protocol_->finished() && wire_.output.empty() && !lingering_since_) linger();
        arm();
    }

    // Closing while the client still sends would take our last answer away from it: wait for its end.
    void linger() {
        lingering_since_ = wire_.now;
        channel_.end_writing();
    }

    Loop& loop_;
    tcp::socket socket_;
    Channel channel_;
    Wire wire_;
    std::string first_bytes_;
    std::unique_ptr<Protocol> protocol_;  // after wire_, which it uses
    Time opened_;
    Time wrote_{};         // when the output last got shorter
    bool unsent_ = false;  // the last flush left something
    std::optional<Time> lingering_since_;
    bool reading_ = false, writing_ = false;  // a wait is under way
    bool read_wants_write_ = false, write_wants_read_ = false;
    bool paused_ = false;
    bool closed_ = false;
};

std::chrono::milliseconds tick_period(const Limits& limits) {
    const auto shortest = std::min({limits.first_bytes, limits.header, limits.idle, limits.ping,
                                    limits.body_grace, limits.write, limits.linger, limits.websocket_ping});
    return std::clamp(shortest / 4, std::chrono::milliseconds(5), std::chrono::milliseconds(250));
}

Loop::Loop(const Limits& limits) : period_(tick_period(limits)) {
    // The context lives as long as anybody may still post an answer; the mail of a stopped loop stays unread.
    mailbox_ = std::make_shared<Mailbox>([this, context = context_] {
        if (!context->stopped()) asio::post(*context, [this] { deliver_mail(); });
    });
    thread_ = std::jthread([this] {
        tick();
        context_->run();
    });
}

Loop::~Loop() {
    stop();
}

void Loop::stop() {
    if (!thread_.joinable()) return;
    context_->stop();
    thread_.join();
    draining_ = true;
    const std::vector<std::shared_ptr<Connection>> left(connections_.begin(), connections_.end());
    for (const auto& connection : left) connection->close();
    // What waits in the context holds connections, which hold the context: let it see that they are closed.
    context_->restart();
    context_->poll();
    context_->stop();
}

void Loop::add(const std::shared_ptr<Connection>& connection) {
    connections_.insert(connection);
    connection->start(draining_);
}

void Loop::remove(const std::shared_ptr<Connection>& connection) {
    connections_.erase(connection);
    open_.fetch_sub(1, std::memory_order_relaxed);
}

void Loop::deliver_mail() {
    for (Mail& mail : mailbox_->take())
        if (const std::shared_ptr<Recipient> to = mail.to.lock()) {
            if (mail.response)
                to->deliver(mail.request, std::move(*mail.response));
            else
                to->wake(mail.request);
        }
    tell_when_idle();
}

void Loop::resume_later(std::weak_ptr<Connection> connection) {
    paused_.push_back(std::move(connection));
    if (paused_.size() > 1) return;
    pressure_clock_.expires_after(pressure_poll);
    pressure_clock_.async_wait([this](error_code failed) {
        if (!failed) resume();
    });
}

void Loop::resume() {
    for (const auto& waiting : std::exchange(paused_, {}))
        if (const std::shared_ptr<Connection> connection = waiting.lock()) connection->resume();
}

void Loop::tick() {
    const Time now = std::chrono::steady_clock::now();
    // A connection may end while it looks at the clock.
    const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
    for (const auto& connection : all) connection->tick(now);
    tell_when_idle();
    clock_.expires_after(period_);
    clock_.async_wait([this](error_code failed) {
        if (!failed) tick();
    });
}

void Loop::drain(std::function<void()> idle) {
    asio::post(*context_, [this, idle = std::move(idle)]() mutable {
        draining_ = true;
        on_idle_ = std::move(idle);
        const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
        for (const auto& connection : all) connection->drain();
        tell_when_idle();
    });
}

void Loop::tell_when_idle() {
    if (!on_idle_) return;
    if (std::ranges::any_of(connections_, [](const auto& connection) { return connection->busy(); })) return;
    std::exchange(on_idle_, nullptr)();
}

Error taken(const Listener& listener, const error_code& why) {
    return {ErrorKind::unavailable,
            fmt::format("cannot listen on {}:{}: {}", listener.host, listener.port, why.message())};
}

}  // namespace

class Server::Impl {
public:
    explicit Impl(Options options) : options_(std::move(options)) {
        const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
        for (unsigned n = 0; n < (options_.threads == 0 ? cores : options_.threads); ++n)
            loops_.push_back(std::make_unique<Loop>(options_.limits));
    }
    ~Impl() {
        close_doors();
        for (const auto& loop : loops_) loop->stop();
    }

    Result<void> listen(const Listener& listener) {
        error_code failed;
        tcp::resolver resolver(loops_.front()->context());
        const auto found =
            resolver.resolve(listener.host, std::to_string(listener.port), tcp::resolver::passive, failed);
        if (failed || found.empty())
            return fail(ErrorKind::invalid_input, "cannot listen on {}: {}", listener.host, failed.message());
        auto door = std::make_shared<Door>(tcp::acceptor(loops_.front()->context()), listener);
        if (listener.tls)
            door->tls = OBS_TRY(load_tls(*listener.tls), "cannot use TLS for {}", listener.name);
        const tcp::endpoint address = found.begin()->endpoint();
        door->acceptor.open(address.protocol(), failed);
        if (!failed) door->acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
        if (!failed) door->acceptor.bind(address, failed);
        if (!failed) door->acceptor.listen(tcp::acceptor::max_listen_connections, failed);
        if (failed) return std::unexpected(taken(listener, failed));
        door->port = door->acceptor.local_endpoint(failed).port();
        door->on_loopback = address.address().is_loopback();
        doors_.push_back(std::move(door));
        return {};
    }

    void open_doors() {
        for (const std::shared_ptr<Door>& door : doors_)
            asio::post(loops_.front()->context(), [this, door] { accept(door); });
    }

    std::uint16_t port(std::size_t listener) const { return doors_.at(listener)->port; }

    bool drain(std::chrono::milliseconds deadline) {
        close_doors();
        // Shared, because a loop may become idle after the deadline.
        const auto waiting = std::make_shared<Waiting>();
        waiting->loops = loops_.size();
        for (const auto& loop : loops_) loop->drain([waiting] { waiting->one_less(); });
        return waiting->wait(deadline);
    }

    ServerStats stats() const {
        return {open_connections(), accepted_.load(std::memory_order_relaxed),
                refused_.load(std::memory_order_relaxed)};
    }

private:
    struct Door {
        Door(tcp::acceptor opened, const Listener& from)
            : acceptor(std::move(opened)), service(from.service), retry(acceptor.get_executor()) {}
        tcp::acceptor acceptor;
        Service* service;
        SslContext tls{};
        std::uint16_t port = 0;
        bool on_loopback = false;
        asio::steady_timer retry;
    };
    struct Waiting {
        std::mutex mutex;
        std::condition_variable changed;
        std::size_t loops = 0;
        void one_less() {
            const std::lock_guard lock(mutex);
            --loops;
            changed.notify_all();
        }
        bool wait(std::chrono::milliseconds deadline) {
            std::unique_lock lock(mutex);
            return changed.wait_for(lock, deadline, [&] { return loops == 0; });
        }
    };

    std::size_t open_connections() const {
        std::size_t open = 0;
        for (const auto& loop : loops_) open += loop->connections();
        return open;
    }

    void accept(const std::shared_ptr<Door>& door) {
        Loop& loop =
            **std::ranges::min_element(loops_, {}, [](const auto& each) { return each->connections(); });
        door->acceptor.async_accept(
            loop.context(), [this, door, &loop](error_code failed, tcp::socket socket) {
                if (failed == asio::error::operation_aborted || !door->acceptor.is_open()) return;
                if (failed) return accept_later(door, failed);
                admit(*door, loop, std::move(socket));
                accept(door);
            });
    }

    // Out of descriptors, most likely: trying again at once would only burn a core.
    void accept_later(const std::shared_ptr<Door>& door, const error_code& why) {
        log::warning("net: cannot accept on port {}: {}", door->port, why.message());
        door->retry.expires_after(std::chrono::milliseconds(100));
        door->retry.async_wait([this, door](error_code stopped) {
            if (!stopped && door->acceptor.is_open()) accept(door);
        });
    }

    void admit(const Door& door, Loop& loop, tcp::socket socket) {
        error_code failed;
        const tcp::endpoint peer = socket.remote_endpoint(failed);
        if (failed) return;
        if (open_connections() >= options_.limits.connections) {
            refused_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        socket.non_blocking(true, failed);
        socket.set_option(tcp::no_delay(true), failed);
        accepted_.fetch_add(1, std::memory_order_relaxed);
        Wire wire{.around = {door.service, &options_.limits, options_.budget, options_.workers},
                  .peer = peer.address().to_string(),
                  .tls = door.tls != nullptr,
                  .on_loopback = door.on_loopback,
                  .mailbox = loop.mailbox()};
        loop.reserve_place();
        auto connection =
            std::make_shared<Connection>(loop, std::move(socket), std::move(wire), door.tls.get());
        asio::post(loop.context(), [&loop, connection = std::move(connection)] { loop.add(connection); });
    }

    void close_doors() {
        auto closed = std::make_shared<Waiting>();
        closed->loops = 1;
        asio::post(loops_.front()->context(), [this, closed] {
            for (const auto& door : doors_) {
                error_code ignored;
                door->acceptor.close(ignored);
                door->retry.cancel();
            }
            closed->one_less();
        });
        // A second is for ever for a loop that runs; one that was stopped accepts nothing anyway.
        closed->wait(std::chrono::seconds(1));
    }

    Options options_;
    std::atomic<std::uint64_t> accepted_{0}, refused_{0};
    std::vector<std::unique_ptr<Loop>> loops_;
    std::vector<std::shared_ptr<Door>>
        doors_;  // before the loops end: their acceptors use the first one's context
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(Options options, std::vector<Listener> listeners) {
    std::signal(SIGPIPE, SIG_IGN);  // TLS writes by write(2)
    auto impl = std::make_unique<Impl>(std::move(options));
    for (const Listener& listener : listeners) OBS_TRY_VOID(impl->listen(listener));
    impl->open_doors();
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port(std::size_t listener) const {
    return impl_->port(listener);
}
bool Server::drain(std::chrono::milliseconds deadline) {
    return impl_->drain(deadline);
}
ServerStats Server::stats() const {
    return impl_->stats();
}

}  // namespace obs::net
