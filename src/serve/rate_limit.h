// How often a caller may ask: a token bucket for each user, filled at the rate of the role, 20 % larger than
// a minute's worth.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "catalog/tokens.h"
#include "serve/metrics.h"
#include "serve/redis.h"

namespace obs::serve {

// Requests a minute by role; 0 is no limit. Custom roles have the last one.
struct RateLimits {
    std::array<std::int64_t, 5> per_minute{100'000, 10'000, 1'000, 1'000, 1'000};
    std::int64_t of(Role role) const { return per_minute[static_cast<std::size_t>(role)]; }
    std::string text() const;  // `admin=100000,…`
};
// `viewer=2000,admin=0` over the defaults; `off` limits nobody. Fails with `invalid_input`.
Result<RateLimits> rate_limits_from(std::string_view text);

struct RateVerdict {
    bool allowed = true;
    std::int64_t limit = 0;      // requests a minute
    std::int64_t remaining = 0;  // whole ones that are left, never above the limit
    Nanos full_in{};             // until the bucket is full
    Nanos retry_in{};            // when refused: until the next request
};

class RateLimiter {
public:
    virtual ~RateLimiter() = default;
    // Takes one request of the user. Nothing when that cannot be told: then there is no limit.
    virtual std::optional<RateVerdict> take(std::string_view user, std::int64_t per_minute,
                                            UnixNanos now) = 0;
    // Whether take() may wait for another server, so that it has no place on an I/O thread.
    virtual bool waits() const = 0;
};

// In this process: a table of fixed size. When it is full, the user who is nearest to a full bucket is
// forgotten, which gives that one at most a full bucket.
class LocalRateLimiter final : public RateLimiter {
public:
    explicit LocalRateLimiter(std::size_t users = 65'536);
    std::optional<RateVerdict> take(std::string_view user, std::int64_t per_minute, UnixNanos now) override;
    bool waits() const override { return false; }

private:
    struct Slot {
        std::uint64_t user = 0;    // 0: free
        std::int64_t full_at = 0;  // when its bucket is full again, if nobody asks until then
    };
    static constexpr std::size_t ways = 8, locks = 64;

    std::vector<Slot> slots_;
    std::array<std::mutex, locks> mutexes_;
};

// In Redis, by its clock: the limit holds for all instances together.
class RedisRateLimiter final : public RateLimiter {
public:
    explicit RedisRateLimiter(Redis& redis) : redis_(redis) {}
    std::optional<RateVerdict> take(std::string_view user, std::int64_t per_minute, UnixNanos now) override;
    bool waits() const override { return true; }

private:
    Redis& redis_;
};

// rate_limit_exceeded_total and rate_limit_remaining. Thread-safe.
class RateMetrics {
public:
    void count(Role role, const RateVerdict& verdict);
    void write(MetricsText& out) const;

private:
    std::array<std::atomic<std::uint64_t>, 5> exceeded_{};
    std::array<std::atomic<std::int64_t>, 5> remaining_{-1, -1, -1, -1, -1};
};

}  // namespace obs::serve
