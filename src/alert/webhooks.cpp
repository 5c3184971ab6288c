#include "alert/webhooks.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/ids.h"
#include "base/log.h"

namespace obs::alert {

namespace {

constexpr std::size_t at_once = 8, most_due = 64, longest_reason = 300;

bool is_taken(const Result<int>& status) {
    return status && *status >= 200 && *status < 300;
}

// What will be refused each time: an address that may not be reached.
bool is_final(const Result<int>& status) {
    return !status &&
           (status.error().kind == ErrorKind::forbidden || status.error().kind == ErrorKind::invalid_input);
}

}  // namespace

std::string webhook_signature(const Secret& secret, std::string_view timestamp, std::string_view body) {
    const std::string text = fmt::format("{}.{}", timestamp, body);
    const std::string& key = secret.reveal();
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
    return "sha256=" + to_hex(std::as_bytes(std::span(digest)).first(size));
}

Webhooks::Webhooks(Options options, const Catalog& catalog)
    : options_(std::move(options)), budgets_(catalog) {}

Webhooks::~Webhooks() {
    stop();
}

void Webhooks::start() {
    worker_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Webhooks::stop() {
    if (!worker_.joinable()) return;
    worker_.request_stop();
    worker_.join();
}

void Webhooks::wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
}

Webhooks::Stats Webhooks::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

void Webhooks::run(const std::stop_token& stop) {
    bool failing = false;
    while (!stop.stop_requested()) {
        const Result<std::size_t> done = deliver(options_.clock(), stop);
        if (!done && !failing) log::warning("webhooks: {}", done.error().message);
        failing = !done;
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, std::chrono::nanoseconds(options_.look_every.count),
                          [this] { return woken_; });
        woken_ = false;
    }
}

Result<std::size_t> Webhooks::deliver(UnixNanos now, const std::stop_token& stop) {
    std::vector<Delivery> due = OBS_TRY(budgets_.due(now, most_due));
    std::size_t tried = 0;
    for (std::size_t begin = 0; begin < due.size() && !stop.stop_requested(); begin += at_once) {
        std::vector<std::jthread> group;
        for (std::size_t at = begin; at < std::min(begin + at_once, due.size()); ++at) {
            // Long enough for the attempt; whoever finds it due after that knows that we are gone.
            if (!OBS_TRY(budgets_.claim(due[at], now + options_.within + Nanos::seconds(60)))) continue;
            ++tried;
            group.emplace_back([this, now, &stop, delivery = std::move(due[at])]() mutable {
                deliver_one(std::move(delivery), now, stop);
            });
        }
    }
    return tried;
}

void Webhooks::deliver_one(Delivery delivery, UnixNanos now, const std::stop_token& stop) {
    ++delivery.attempts;
    const Result<int> status = send(delivery, now, stop);
    if (!status && stop.stop_requested()) return;  // it is due again, for the next start
    delivery.status = status ? std::optional<std::int64_t>(*status) : std::nullopt;
    delivery.error = is_taken(status) ? std::string()
                     : status         ? fmt::format("the answer was {}", *status)
                                      : status.error().message.substr(0, longest_reason);
    const bool last = is_final(status) || delivery.attempts >= options_.attempts;
    if (is_taken(status))
        delivery.state = DeliveryState::delivered;
    else if (last)
        delivery.state = DeliveryState::failed;
    if (delivery.state == DeliveryState::pending)
        delivery.due = now + pause_after(delivery.attempts);
    else
        delivery.finished = now;
    if (const auto kept = budgets_.note(delivery); !kept)
        log::warning("webhooks: what became of a delivery is not kept: {}", kept.error().message);
    const std::lock_guard lock(mutex_);
    ++(is_taken(status) ? stats_.delivered : last ? stats_.failed : stats_.retried);
}

Result<int> Webhooks::send(const Delivery& delivery, UnixNanos now, const std::stop_token& stop) const {
    const std::string timestamp = fmt::format("{}", now.since_epoch / 1'000'000'000);
    const Post post{.url = delivery.url,
                    .body = delivery.body,
                    .headers = {{"Content-Type", "application/json"},
                                {"X-Observatory-Event", delivery.event},
                                {"X-Observatory-Delivery", delivery.id},
                                {"X-Observatory-Timestamp", timestamp},
                                {"X-Observatory-Signature",
                                 webhook_signature(delivery.secret, timestamp, delivery.body)}}};
    if (options_.send) return options_.send(post, stop);
    return http_post(post, options_.targets, options_.within, stop);
}

Nanos Webhooks::pause_after(std::int64_t attempts) const {
    Nanos pause = options_.first_pause;
    for (std::int64_t i = 1; i < attempts && pause < options_.longest_pause; ++i) pause = {pause.count * 4};
    return std::min(pause, options_.longest_pause);
}

}  // namespace obs::alert
