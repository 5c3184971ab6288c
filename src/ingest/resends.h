// Requests that come twice because the answer to the first was lost (decision 5).
#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "model/intake.h"

namespace obs {

// Thread-safe. Remembers a bounded number of requests for 15 minutes; the oldest are forgotten first.
class Resends {
public:
    struct Limits {
        Nanos lifetime = Nanos::seconds(15 * 60);
        std::size_t requests = 500'000;
    };
    Resends() : Resends(Limits{}) {}
    explicit Resends(Limits limits) : limits_(limits) {}

    enum class Seen { never, in_flight, durable };
    // For `never` the caller goes on and must call finish(). For `in_flight` the answer of the first one is
    // this one's answer too: `done` was taken and will be called by finish(). For `durable` nothing was
    // taken.
    Seen begin(const Fingerprint& request, UnixNanos now, Intake::Done& done) {
        const std::lock_guard lock(mutex_);
        forget_old(now);
        const auto [at, is_new] = known_.try_emplace(request);
        if (is_new) return Seen::never;
        if (at->second.durable) return Seen::durable;
        at->second.waiting.push_back(std::move(done));
        return Seen::in_flight;
    }

    // The request is on disk, or was refused: then it may come again. Returns who else waits for the answer.
    std::vector<Intake::Done> finish(const Fingerprint& request, bool durable, UnixNanos now) {
        const std::lock_guard lock(mutex_);
        const auto at = known_.find(request);
        if (at == known_.end()) return {};
        std::vector<Intake::Done> waiting = std::move(at->second.waiting);
        if (durable) {
            at->second = {.durable = true, .waiting = {}};
            order_.push_back({now, request});
        } else {
            known_.erase(at);
        }
        return waiting;
    }

    // A request that the journal holds.
    void remember(const Fingerprint& request, UnixNanos now) {
        const std::lock_guard lock(mutex_);
        forget_old(now);
        if (known_.try_emplace(request, Known{.durable = true, .waiting = {}}).second)
            order_.push_back({now, request});
    }

private:
    struct Known {
        bool durable = false;
        std::vector<Intake::Done> waiting{};
    };
    struct Hash {
        std::size_t operator()(const Fingerprint& request) const { return request.low; }
    };

    void forget_old(UnixNanos now) {
        while (!order_.empty() &&
               (order_.front().first + limits_.lifetime < now || order_.size() >= limits_.requests)) {
            known_.erase(order_.front().second);
            order_.pop_front();
        }
    }

    const Limits limits_;
    std::mutex mutex_;
    std::unordered_map<Fingerprint, Known, Hash> known_;
    // Durable requests; those in flight are as many as are being received.
    std::deque<std::pair<UnixNanos, Fingerprint>> order_;
};

}  // namespace obs
