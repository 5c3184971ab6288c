// Who asked for what: one row of the table `audit` for each call of somebody who was recognised, and for each
// that was denied. Rows gather in memory and are handed on in groups, so that no answer waits for them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/time.h"
#include "catalog/tokens.h"
#include "model/batches.h"
#include "net/http.h"
#include "serve/metrics.h"
#include "serve/router.h"

namespace obs::serve {

// Takes rows over for good, and says later whether it kept them. Thread-safe; may not block for long.
using AuditSink = std::function<void(AuditBatch rows, std::function<void(bool kept)> done)>;

struct AuditedCall {
    const net::RequestHead& head;
    const Route* route = nullptr;          // null when no route answers
    const Principal* principal = nullptr;  // null when nobody was recognised
    std::string_view resource_id{}, project{};
    std::string_view request_id{};
    UnixNanos at{};
    Nanos took{};
    int status = 200;
    std::string_view error_code{};
};

// Whether the call leaves a row: probes and documentation do not, unless they are denied.
bool is_audited(const AuditedCall& call);

class AuditLog {
public:
    struct Options {
        std::size_t rows = 50'000;  // waiting or on their way; more are dropped and counted
        std::size_t group = 2'000;
        std::chrono::milliseconds gather{1'000};
        // Whose rows are those of callers that nobody recognised: the operator's.
        std::string home_org = "default";
    };
    // Without a sink nothing is noted.
    AuditLog(AuditSink sink, Options options);
    // Hands on what is left.
    ~AuditLog();

    void note(const AuditedCall& call);

    std::uint64_t dropped() const { return dropped_; }
    void write(MetricsText& out) const;

private:
    void run(const std::stop_token& stop);
    void hand_on(AuditBatch rows);

    const AuditSink sink_;
    const Options options_;
    std::mutex mutex_;
    std::condition_variable_any gathered_;
    AuditBatch rows_;
    // Shared with calls of the sink that end after this object.
    struct OnTheWay {
        std::atomic<std::size_t> rows = 0;
        std::atomic<std::uint64_t> kept = 0, lost = 0;
    };
    std::shared_ptr<OnTheWay> on_the_way_ = std::make_shared<OnTheWay>();
    std::atomic<std::uint64_t> dropped_ = 0;
    std::jthread worker_;  // last: it uses everything above
};

}  // namespace obs::serve
