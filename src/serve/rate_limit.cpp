#include "serve/rate_limit.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/hash.h"

namespace obs::serve {

namespace {

constexpr std::int64_t minute = 60'000'000'000;
constexpr std::array<std::string_view, 5> role_names{"admin", "developer", "viewer", "billing", "custom"};
constexpr std::int64_t most_per_minute = 1'000'000'000;

// The bucket holds so many requests for each five of a minute.
constexpr std::int64_t burst_of(std::int64_t per_minute) {
    return std::max<std::int64_t>(1, per_minute * 6 / 5);
}

// All that a bucket is, is the moment at which it will be full: each request moves it by the time that one
// request takes to come back.
RateVerdict take_from(std::int64_t& full_at, std::int64_t per_minute, std::int64_t now) {
    const std::int64_t one = std::max<std::int64_t>(1, minute / per_minute);
    const std::int64_t whole = burst_of(per_minute) * one;
    // Also after the clock was set back.
    const std::int64_t at = std::clamp(full_at, now, now + whole);
    RateVerdict verdict{.allowed = at + one <= now + whole, .limit = per_minute};
    full_at = verdict.allowed ? at + one : at;
    verdict.remaining = std::min(per_minute, (now + whole - full_at) / one);
    verdict.full_in = Nanos{full_at - now};
    if (!verdict.allowed) verdict.retry_in = Nanos{at + one - now - whole};
    return verdict;
}

// KEYS: the bucket. ARGV: requests a minute, size of the bucket. Answers: allowed, whole requests left,
// milliseconds until it is full, milliseconds until the next request. It vanishes when it is full again.
constexpr std::string_view script = R"lua(
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local rate, burst = ARGV[1] / 60000000, tonumber(ARGV[2])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'last_refill')
local tokens, last = tonumber(state[1]) or burst, tonumber(state[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - last) * rate)
local allowed = 0
if tokens >= 1 then
  allowed = 1
  tokens = tokens - 1
end
local full = math.ceil((burst - tokens) / rate / 1000)
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'last_refill', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], full + 1000)
return {allowed, math.floor(tokens), full, math.ceil(math.max(0, 1 - tokens) / rate / 1000)}
)lua";

std::optional<std::int64_t> whole(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::string RateLimits::text() const {
    std::string text;
    for (std::size_t i = 0; i < per_minute.size(); ++i)
        text += fmt::format("{}{}={}", i == 0 ? "" : ",", role_names[i], per_minute[i]);
    return text;
}

Result<RateLimits> rate_limits_from(std::string_view text) {
    RateLimits limits;
    if (text == "off") {
        limits.per_minute.fill(0);
        return limits;
    }
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        const std::string_view one = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t equals = std::min(one.find('='), one.size());
        const auto role = std::ranges::find(role_names, one.substr(0, equals));
        const auto rate = whole(one.substr(std::min(equals + 1, one.size())));
        if (role == role_names.end() || !rate || *rate < 0 || *rate > most_per_minute)
            return fail(
                ErrorKind::invalid_input,
                "{:?} is not ROLE=REQUESTS_A_MINUTE with a role of admin, developer, viewer, billing, "
                "custom, and 0 for no limit",
                one.substr(0, 80));
        limits.per_minute[static_cast<std::size_t>(role - role_names.begin())] = *rate;
    }
    return limits;
}

LocalRateLimiter::LocalRateLimiter(std::size_t users) : slots_(std::max(users, ways) / ways * ways) {}

std::optional<RateVerdict> LocalRateLimiter::take(std::string_view user, std::int64_t per_minute,
                                                  UnixNanos now) {
    const std::uint64_t hash = hash64(user) | 1;  // never the mark of a free slot
    const std::size_t set = (hash >> 1) % (slots_.size() / ways);
    const std::lock_guard lock(mutexes_[set % locks]);
    const auto begin = slots_.begin() + static_cast<std::ptrdiff_t>(set * ways), end = begin + ways;
    auto slot = std::find_if(begin, end, [&](const Slot& each) { return each.user == hash; });
    if (slot == end) {
        slot =
            std::min_element(begin, end, [](const Slot& a, const Slot& b) { return a.full_at < b.full_at; });
        *slot = {hash, 0};
    }
    return take_from(slot->full_at, per_minute, now.since_epoch);
}

std::optional<RateVerdict> RedisRateLimiter::take(std::string_view user, std::int64_t per_minute, UnixNanos) {
    const std::string key = fmt::format("ratelimit:{}", user);
    const std::string rate = std::to_string(per_minute), burst = std::to_string(burst_of(per_minute));
    const std::string_view keys[] = {key}, arguments[] = {rate, burst};
    const auto reply = redis_.script(script, keys, arguments);
    if (!reply || reply->kind != RedisReply::Kind::list || reply->list.size() != 4) return std::nullopt;
    const auto number = [&](std::size_t at) { return reply->list[at].integer; };
    return RateVerdict{.allowed = number(0) == 1,
                       .limit = per_minute,
                       .remaining = std::min(per_minute, number(1)),
                       .full_in = Nanos::milliseconds(number(2)),
                       .retry_in = Nanos::milliseconds(number(3))};
}

void RateMetrics::count(Role role, const RateVerdict& verdict) {
    const auto at = static_cast<std::size_t>(role);
    if (!verdict.allowed) exceeded_[at].fetch_add(1, std::memory_order_relaxed);
    remaining_[at].store(verdict.remaining, std::memory_order_relaxed);
}

void RateMetrics::write(MetricsText& out) const {
    for (std::size_t i = 0; i < role_names.size(); ++i) {
        const MetricLabels labels{{"role", std::string(role_names[i])}};
        const std::int64_t remaining = remaining_[i].load(std::memory_order_relaxed);
        if (remaining < 0) continue;  // nobody of this role was here
        out.counter("rate_limit_exceeded_total", "Requests refused because their user asked too often.",
                    labels, static_cast<double>(exceeded_[i].load(std::memory_order_relaxed)));
        out.gauge("rate_limit_remaining", "Requests left to the user of the role who asked last.", labels,
                  static_cast<double>(remaining));
    }
}

}  // namespace obs::serve
