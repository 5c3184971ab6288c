#include "serve/live_relay.h"

#include <memory>
#include <random>
#include <span>
#include <utility>

#include "base/ids.h"

namespace obs::serve {

namespace {

// How long it takes until somebody who begins to listen elsewhere is known here.
constexpr std::chrono::milliseconds look_every{250};

std::string random_name() {
    std::random_device random;
    const std::uint32_t words[] = {random(), random(), random(), random()};
    return to_hex(std::as_bytes(std::span(words)));
}

}  // namespace

LiveRelay::LiveRelay(Redis& redis, Options options, std::function<bool()> listening,
                     std::function<void(std::string_view)> receive)
    : redis_(redis),
      options_(std::move(options)),
      channel_("llmobs:live:1:" + options_.installation),
      self_(random_name()),
      listening_(std::move(listening)),
      receive_(std::move(receive)) {
    sender_ = std::jthread([this](const std::stop_token& stop) { send_all(stop); });
    listener_ = std::jthread([this](const std::stop_token& stop) { listen(stop); });
}

LiveRelay::~LiveRelay() = default;

void LiveRelay::send(std::string message) {
    {
        const std::lock_guard lock(mutex_);
        if (queued_bytes_ + message.size() > options_.queue_bytes) {
            ++dropped_;
            return;
        }
        queued_bytes_ += message.size();
        queue_.push_back(std::move(message));
    }
    filled_.notify_all();  // the listener waits here too
}

void LiveRelay::send_all(const std::stop_token& stop) {
    while (true) {
        std::string message;
        {
            std::unique_lock lock(mutex_);
            if (!filled_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
            message = std::move(queue_.front());
            queue_.pop_front();
            queued_bytes_ -= message.size();
        }
        const std::string text = self_ + message;
        const std::string_view words[] = {"PUBLISH", channel_, text};
        if (redis_.command(words))
            ++sent_;
        else
            ++dropped_;
    }
}

// Subscribed only while somebody listens here, so that the others know whether to send.
void LiveRelay::listen(const std::stop_token& stop) {
    std::unique_ptr<RedisSubscription> subscription;
    auto next_look = std::chrono::steady_clock::now();
    while (!stop.stop_requested()) {
        if (const auto now = std::chrono::steady_clock::now(); now >= next_look) {
            next_look = now + look_every;
            if (!listening_())
                subscription.reset();
            else if (!subscription)
                subscription = redis_.subscribe(channel_);
            count_others(subscription != nullptr);
        }
        if (!subscription) {
            std::unique_lock lock(mutex_);
            filled_.wait_for(lock, stop, look_every, [] { return false; });
            continue;
        }
        const bool there = subscription->receive(look_every, [this](std::string_view message) {
            if (message.starts_with(self_) || message.size() < self_.size()) return;
            ++received_;
            receive_(message.substr(self_.size()));
        });
        if (!there) subscription.reset();
    }
}

void LiveRelay::count_others(bool subscribed) {
    const std::string_view words[] = {"PUBSUB", "NUMSUB", channel_};
    const auto reply = redis_.command(words);
    const std::int64_t listeners = reply && reply->list.size() == 2 ? reply->list[1].integer : 0;
    others_listen_ = listeners > (subscribed ? 1 : 0);
}

void LiveRelay::write(MetricsText& out) const {
    out.counter("live_relay_sent_total", "Messages to other instances", {}, static_cast<double>(sent_));
    out.counter("live_relay_received_total", "Messages of other instances", {},
                static_cast<double>(received_));
    out.counter("live_relay_dropped_total", "Messages that Redis did not take in time", {},
                static_cast<double>(dropped_));
}

}  // namespace obs::serve
