// Tables of open_traces.cpp with a fixed size: what is found in them helps, what is not is done without.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "ingest/open_trace.h"

namespace obs {

// Traces that were settled: about the last four million, the others only by chance.
class Settled {
public:
    void add(const TraceKey& key) { place(key) = print(key); }
    bool maybe_has(const TraceKey& key) const { return prints_[at(key)] == print(key); }

private:
    static constexpr std::size_t room = std::size_t{1} << 22;
    static std::size_t at(const TraceKey& key) { return TraceKeyHash()(key) % room; }
    // Of the bits that did not choose the place; never 0, which is an empty place.
    static std::uint32_t print(const TraceKey& key) {
        return static_cast<std::uint32_t>(TraceKeyHash()(key) >> 32) | 1;
    }
    std::uint32_t& place(const TraceKey& key) { return prints_[at(key)]; }

    std::vector<std::uint32_t> prints_ = std::vector<std::uint32_t>(room);
};

// Spans by the id of the provider's answer, for events that name no span. Only a help: of many, the last
// ones.
class Answers {
public:
    struct Answered {
        std::uint64_t response = 0;  // hash of the id
        TraceKey key{};
        SpanId span;
        bool unique = false;  // two spans with one id: nobody knows whose the event is
    };
    void add(const TraceKey& key, std::string_view response, SpanId span) {
        if (answered_.empty()) answered_.resize(room);
        const std::uint64_t hash = hash_of(key.tenant, response);
        Answered& at = answered_[hash % room];
        at = {hash, key, span, at.response != hash};
    }
    const Answered* find(std::uint32_t tenant, std::string_view response) const {
        if (answered_.empty()) return nullptr;
        const std::uint64_t hash = hash_of(tenant, response);
        const Answered& at = answered_[hash % room];
        return at.unique && at.response == hash && at.key.tenant == tenant ? &at : nullptr;
    }

private:
    static constexpr std::size_t room = std::size_t{1} << 18;
    static std::uint64_t hash_of(std::uint32_t tenant, std::string_view response) {
        return hash64(response) + std::uint64_t{tenant} * 0x9E3779B97F4A7C15;
    }
    std::vector<Answered> answered_;
};

// Traces by the time at which they are looked at again: one slot for a quarter of a second.
class Wheel {
public:
    void put(const TraceKey& key, UnixNanos due) { slot(due.since_epoch / tick).push_back(key); }

    // Hands over what lies in the slots up to `now`.
    template <class F>
    void turn(UnixNanos now, F&& visit) {
        const std::int64_t last = now.since_epoch / tick;
        // At the start, and when the clock jumps ahead, every slot is visited once.
        for (at_ = std::max(at_, last - static_cast<std::int64_t>(slots_.size())); at_ <= last; ++at_) {
            std::vector<TraceKey> keys = std::exchange(slot(at_), {});
            for (const TraceKey& key : keys) visit(key);
        }
        at_ = last;
    }

private:
    static constexpr std::int64_t tick = 250'000'000;
    std::vector<TraceKey>& slot(std::int64_t at) {
        return slots_[static_cast<std::size_t>(at) % slots_.size()];
    }
    std::array<std::vector<TraceKey>, 512> slots_;
    std::int64_t at_ = 0;
};

}  // namespace obs
