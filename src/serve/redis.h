// A Redis server that several instances share, for what may be lost: counters of limits, cached answers. When
// it is away nothing waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace obs::serve {

struct RedisAddress {
    std::string host;        // a name or an address; with `unix:` the path of the socket
    std::uint16_t port = 0;  // 0: a socket
    std::string user{};
    Secret password{};
    int database = 0;
    // Without user and password.
    std::string text() const;
};

// `redis://[[user]:password@]host[:port][/database]` or `unix:///path[?db=N]`. Fails with `invalid_input`;
// the message never holds the password.
Result<RedisAddress> redis_address_from(std::string_view url);

struct RedisReply {
    enum class Kind : std::uint8_t { nothing, integer, text, list, error };
    Kind kind = Kind::nothing;
    std::int64_t integer = 0;
    std::string text{};
    std::vector<RedisReply> list{};
};

class RedisSubscription;

// Connections are shared by the threads that ask. Thread-safe.
class Redis {
public:
    struct Options {
        // Longest wait for a connection and for an answer, each.
        std::chrono::milliseconds patience{20};
        // So long after a failure nobody asks; a thread of its own finds out when it is back.
        std::chrono::milliseconds pause{500};
        std::size_t connections = 16;  // idle ones that are kept
    };

    // Redis need not be there yet.
    explicit Redis(RedisAddress address) : Redis(std::move(address), Options{}) {}
    Redis(RedisAddress address, Options options);
    ~Redis();

    // Nothing when Redis did not answer in time, or is known to be away; then at once.
    std::optional<RedisReply> command(std::span<const std::string_view> words);
    // A Lua script by its hash, sent whole only when Redis has not seen it.
    std::optional<RedisReply> script(std::string_view lua, std::span<const std::string_view> keys,
                                     std::span<const std::string_view> arguments);

    // The messages of a channel, on a connection of its own; null while Redis is away.
    std::unique_ptr<RedisSubscription> subscribe(std::string_view channel) const;

    // Whether the last answer came.
    bool well() const;
    std::uint64_t failures() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Ended by its destructor. One thread.
class RedisSubscription {
public:
    ~RedisSubscription();
    // Hands over the messages that come within `wait`, and those that are there by then. False when the
    // connection is lost.
    bool receive(std::chrono::milliseconds wait, const std::function<void(std::string_view)>& message);

private:
    friend class Redis;
    struct Line;
    explicit RedisSubscription(std::unique_ptr<Line> line);
    std::unique_ptr<Line> line_;
};

}  // namespace obs::serve
