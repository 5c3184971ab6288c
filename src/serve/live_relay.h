// Events between instances, over a channel of Redis. While Redis is away each instance tells only its own
// listeners.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "live/relay.h"
#include "serve/metrics.h"
#include "serve/redis.h"

namespace obs::serve {

class LiveRelay final : public live::Relay {
public:
    struct Options {
        // What instances of one installation share, and nobody else: they hear of each other's organisations.
        std::string installation;
        std::size_t queue_bytes = std::size_t{16} << 20;  // on their way to Redis
    };
    // `redis` outlives this. `listening` tells whether anybody listens here; `receive` takes what the others
    // say. Both are called by a thread of this object.
    LiveRelay(Redis& redis, Options options, std::function<bool()> listening,
              std::function<void(std::string_view)> receive);
    ~LiveRelay() override;

    bool wanted() const override { return others_listen_.load(std::memory_order_relaxed); }
    void send(std::string message) override;
    void write(MetricsText& out) const;

private:
    void send_all(const std::stop_token& stop);
    void listen(const std::stop_token& stop);
    void count_others(bool subscribed);

    Redis& redis_;
    const Options options_;
    const std::string channel_, self_;  // `self_` stands before what we send
    const std::function<bool()> listening_;
    const std::function<void(std::string_view)> receive_;

    std::mutex mutex_;
    std::condition_variable_any filled_;
    std::deque<std::string> queue_;  // under mutex_
    std::size_t queued_bytes_ = 0;   // the same

    std::atomic<bool> others_listen_ = false;
    std::atomic<std::uint64_t> sent_ = 0, received_ = 0, dropped_ = 0;
    std::jthread sender_, listener_;  // last: they use everything above
};

}  // namespace obs::serve
