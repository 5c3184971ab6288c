// Delivers what webhooks are to be told, until they take it: signed, and tried again with growing pauses.
// What is to be delivered lies in the catalog, so that nothing is lost by a stop, and of several processes
// one sends it. A process that ends while it sends leaves the message to be sent again: receivers may get one
// twice, under the same id.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "alert/http_post.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/budgets.h"

namespace obs::alert {

// `sha256=` and the hex of HMAC-SHA256 over `<timestamp>.<body>`.
std::string webhook_signature(const Secret& secret, std::string_view timestamp, std::string_view body);

class Webhooks {
public:
    using Send = std::function<Result<int>(const Post&, const std::stop_token&)>;
    struct Options {
        Targets targets = Targets::public_only;
        Nanos within = Nanos::seconds(10);      // of one attempt
        Nanos first_pause = Nanos::seconds(1);  // doubled twice after each attempt
        Nanos longest_pause = Nanos::hours(1);
        std::int64_t attempts = 10;  // over about three hours
        Nanos look_every = Nanos::seconds(2);
        Clock clock = system_now;
        Send send{};  // nothing: over HTTP
    };
    // `catalog` outlives it.
    Webhooks(Options options, const Catalog& catalog);
    ~Webhooks();

    void start();
    void stop();
    // There is something to deliver. From any thread.
    void wake();
    // Tries what is due, several at a time; how many there were. Either the thread calls it, or a test.
    Result<std::size_t> deliver(UnixNanos now, const std::stop_token& stop);

    struct Stats {
        std::uint64_t delivered = 0, retried = 0, failed = 0;
    };
    Stats stats() const;

private:
    void run(const std::stop_token& stop);
    void deliver_one(Delivery delivery, UnixNanos now, const std::stop_token& stop);
    Result<int> send(const Delivery& delivery, UnixNanos now, const std::stop_token& stop) const;
    Nanos pause_after(std::int64_t attempts) const;

    const Options options_;
    Budgets budgets_;

    mutable std::mutex mutex_;  // of what stands below
    Stats stats_;
    bool woken_ = false;
    std::condition_variable_any changed_;
    std::jthread worker_;  // must be last: it uses everything above
};

}  // namespace obs::alert
