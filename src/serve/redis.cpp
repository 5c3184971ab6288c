#include "serve/redis.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <hiredis/hiredis.h>

#include "base/log.h"

namespace obs::serve {

namespace {

struct FreeContext {
    void operator()(redisContext* context) const noexcept { redisFree(context); }
};
using Connection = std::unique_ptr<redisContext, FreeContext>;

struct FreeReply {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using RawReply = std::unique_ptr<redisReply, FreeReply>;

timeval timeval_of(std::chrono::milliseconds time) {
    return {.tv_sec = time.count() / 1000, .tv_usec = static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

RedisReply reply_of(const redisReply& raw) {
    RedisReply reply;
    switch (raw.type) {
        case REDIS_REPLY_INTEGER:
            reply.kind = RedisReply::Kind::integer;
            reply.integer = raw.integer;
            break;
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS:
            reply.kind = RedisReply::Kind::text;
            reply.text.assign(raw.str, static_cast<std::size_t>(raw.len));
            break;
        case REDIS_REPLY_ERROR:
            reply.kind = RedisReply::Kind::error;
            reply.text.assign(raw.str, static_cast<std::size_t>(raw.len));
            break;
        case REDIS_REPLY_ARRAY:
            reply.kind = RedisReply::Kind::list;
            for (std::size_t i = 0; i < raw.elements; ++i) reply.list.push_back(reply_of(*raw.element[i]));
            break;
        default: break;
    }
    return reply;
}

RawReply sent(redisContext& connection, std::span<const std::string_view> words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string_view word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    return RawReply(static_cast<redisReply*>(
        redisCommandArgv(&connection, static_cast<int>(words.size()), texts.data(), sizes.data())));
}

bool accepted(redisContext& connection, std::span<const std::string_view> words) {
    const RawReply reply = sent(connection, words);
    return reply && reply->type != REDIS_REPLY_ERROR;
}

// The number of an address, so that connecting later asks no name server; empty if there is none.
std::string resolved(const RedisAddress& address) {
    if (address.port == 0) return address.host;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(address.host.c_str(), nullptr, &hints, &found) != 0) return {};
    char number[NI_MAXHOST] = {};
    const int fault =
        getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof number, nullptr, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    return fault == 0 ? number : std::string();
}

template <class Number>
std::optional<Number> whole(std::string_view text, Number most) {
    Number number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size() || number > most) return std::nullopt;
    return number;
}

std::unexpected<Error> no_address() {
    return fail(ErrorKind::invalid_input,
                "not an address of Redis: redis://[[user]:password@]host[:port][/database] or unix:///path");
}

Result<RedisAddress> socket_from(std::string_view rest) {
    RedisAddress address{.host = std::string(rest.substr(0, rest.find('?')))};
    if (!address.host.starts_with('/')) return no_address();
    if (const std::size_t at = rest.find("?db="); at != std::string_view::npos) {
        const auto database = whole(rest.substr(at + 4), 1'000'000);
        if (!database) return no_address();
        address.database = *database;
    }
    return address;
}

}  // namespace

std::string RedisAddress::text() const {
    return port == 0 ? "unix://" + host : fmt::format("redis://{}:{}/{}", host, port, database);
}

Result<RedisAddress> redis_address_from(std::string_view url) {
    if (url.starts_with("unix://")) return socket_from(url.substr(7));
    if (url.starts_with("rediss://"))
        return fail(ErrorKind::invalid_input, "Redis over TLS is not supported by this version");
    if (!url.starts_with("redis://") || url.size() > 1024) return no_address();
    url.remove_prefix(8);
    RedisAddress address;
    if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
        const std::string_view who = url.substr(0, at);
        const std::size_t colon = who.find(':');
        address.user = who.substr(0, std::min(colon, who.size()));
        if (colon != std::string_view::npos) address.password = Secret(std::string(who.substr(colon + 1)));
        url.remove_prefix(at + 1);
    }
    if (const std::size_t slash = url.find('/'); slash != std::string_view::npos) {
        const std::string_view number = url.substr(slash + 1);
        const auto database = number.empty() ? std::optional(0) : whole(number, 1'000'000);
        if (!database) return no_address();
        address.database = *database;
        url = url.substr(0, slash);
    }
    std::size_t colon = url.rfind(':');
    if (url.starts_with('[') && (colon == std::string_view::npos || url[colon - 1] != ']'))
        colon = std::string_view::npos;
    address.port = 6379;
    if (colon != std::string_view::npos) {
        const auto port = whole<std::uint16_t>(url.substr(colon + 1), 65535);
        if (!port || *port == 0) return no_address();
        address.port = *port;
        url = url.substr(0, colon);
    }
    if (url.starts_with('[') && url.ends_with(']')) url = url.substr(1, url.size() - 2);
    if (url.empty()) return no_address();
    address.host = url;
    return address;
}

struct Redis::State {
    RedisAddress address;
    Options options;
    std::atomic<bool> well = false;
    std::atomic<std::uint64_t> failures = 0;

    std::mutex mutex;
    std::condition_variable_any changed;
    std::vector<Connection> idle;
    std::string number;                                    // of the host
    std::unordered_map<std::string, std::string> scripts;  // text to hash, as Redis said it
    std::jthread healer;                                   // last: it uses everything above

    Connection connect(const std::string& host) const {
        if (host.empty()) return nullptr;
        const timeval patience = timeval_of(options.patience);
        Connection connection(address.port == 0
                                  ? redisConnectUnixWithTimeout(host.c_str(), patience)
                                  : redisConnectWithTimeout(host.c_str(), address.port, patience));
        if (!connection || connection->err != 0) return nullptr;
        redisSetTimeout(connection.get(), patience);
        if (!address.password.empty()) {
            std::vector<std::string_view> words{"AUTH"};
            if (!address.user.empty()) words.emplace_back(address.user);
            words.emplace_back(address.password.reveal());
            if (!accepted(*connection, words)) return nullptr;
        }
        const std::string database = std::to_string(address.database);
        const std::string_view select[] = {"SELECT", database};
        if (address.database != 0 && !accepted(*connection, select)) return nullptr;
        return connection;
    }

    Connection take() {
        std::string host;
        {
            const std::lock_guard lock(mutex);
            if (!idle.empty()) {
                Connection connection = std::move(idle.back());
                idle.pop_back();
                return connection;
            }
            host = number;
        }
        return connect(host);
    }

    void give_back(Connection connection) {
        const std::lock_guard lock(mutex);
        if (idle.size() < options.connections) idle.push_back(std::move(connection));
    }

    void lose() {
        failures.fetch_add(1, std::memory_order_relaxed);
        if (well.exchange(false))
            log::warning("redis: {} does not answer; going on without it", address.text());
        {
            const std::lock_guard lock(mutex);
            idle.clear();
        }
        changed.notify_all();
    }

    // Looks for Redis while it is away.
    void heal(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            if (!well) find();
            std::unique_lock lock(mutex);
            if (well)
                changed.wait(lock, stop, [this] { return !well; });
            else
                changed.wait_for(lock, stop, options.pause, [] { return false; });
        }
    }

    void find() {
        std::string host = resolved(address);
        Connection connection = connect(host);
        const std::string_view ping[] = {"PING"};
        if (!connection || !accepted(*connection, ping)) return;
        {
            const std::lock_guard lock(mutex);
            number = std::move(host);
            idle.push_back(std::move(connection));
        }
        well = true;
        log::info("redis: {} answers", address.text());
    }
};

Redis::Redis(RedisAddress address, Options options) : state_(std::make_unique<State>()) {
    state_->address = std::move(address);
    state_->options = options;
    // Whoever starts with Redis there has it from the first request on.
    state_->find();
    if (!state_->well) log::warning("redis: {} does not answer yet", state_->address.text());
    state_->healer = std::jthread([this](const std::stop_token& stop) { state_->heal(stop); });
}

Redis::~Redis() = default;

std::optional<RedisReply> Redis::command(std::span<const std::string_view> words) {
    if (!state_->well) return std::nullopt;
    Connection connection = state_->take();
    const RawReply raw = connection ? sent(*connection, words) : nullptr;
    if (!raw) {
        state_->lose();
        return std::nullopt;
    }
    RedisReply reply = reply_of(*raw);
    state_->give_back(std::move(connection));
    return reply;
}

std::optional<RedisReply> Redis::script(std::string_view lua, std::span<const std::string_view> keys,
                                        std::span<const std::string_view> arguments) {
    std::string hash;
    {
        const std::lock_guard lock(state_->mutex);
        if (const auto known = state_->scripts.find(std::string(lua)); known != state_->scripts.end())
            hash = known->second;
    }
    const auto load = [&]() -> bool {
        const std::string_view words[] = {"SCRIPT", "LOAD", lua};
        const auto loaded = command(words);
        if (!loaded || loaded->kind != RedisReply::Kind::text) return false;
        hash = loaded->text;
        const std::lock_guard lock(state_->mutex);
        state_->scripts[std::string(lua)] = hash;
        return true;
    };
    if (hash.empty() && !load()) return std::nullopt;
    const std::string count = std::to_string(keys.size());
    const auto run = [&] {
        std::vector<std::string_view> words{"EVALSHA", hash, count};
        words.insert(words.end(), keys.begin(), keys.end());
        words.insert(words.end(), arguments.begin(), arguments.end());
        return command(words);
    };
    auto reply = run();
    // It was started again, and has forgotten its scripts.
    if (reply && reply->kind == RedisReply::Kind::error && reply->text.starts_with("NOSCRIPT") && load())
        reply = run();
    return reply;
}

struct RedisSubscription::Line {
    Connection connection;
};

RedisSubscription::RedisSubscription(std::unique_ptr<Line> line) : line_(std::move(line)) {}
RedisSubscription::~RedisSubscription() = default;

std::unique_ptr<RedisSubscription> Redis::subscribe(std::string_view channel) const {
    if (!state_->well) return nullptr;
    std::string host;
    {
        const std::lock_guard lock(state_->mutex);
        host = state_->number;
    }
    Connection connection = state_->connect(host);
    const std::string_view words[] = {"SUBSCRIBE", channel};
    if (!connection || !accepted(*connection, words)) return nullptr;
    auto line = std::make_unique<RedisSubscription::Line>(std::move(connection));
    return std::unique_ptr<RedisSubscription>(new RedisSubscription(std::move(line)));
}

bool RedisSubscription::receive(std::chrono::milliseconds wait,
                                const std::function<void(std::string_view)>& message) {
    redisContext* const context = line_->connection.get();
    pollfd socket{.fd = context->fd, .events = POLLIN, .revents = 0};
    if (::poll(&socket, 1, static_cast<int>(wait.count())) <= 0) return true;
    if (redisBufferRead(context) != REDIS_OK) return false;
    for (;;) {
        void* next = nullptr;
        if (redisReaderGetReply(context->reader, &next) != REDIS_OK) return false;
        const RawReply raw(static_cast<redisReply*>(next));
        if (!raw) return true;
        // ["message", channel, text]
        const RedisReply reply = reply_of(*raw);
        if (reply.list.size() == 3 && reply.list[0].text == "message") message(reply.list[2].text);
    }
}

bool Redis::well() const {
    return state_->well;
}

std::uint64_t Redis::failures() const {
    return state_->failures;
}

}  // namespace obs::serve
