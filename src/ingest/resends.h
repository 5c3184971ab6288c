// Requests that come twice because the answer to the first was lost (decision 5).
#pragma once

#include <deque>
#include <filesystem>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
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

    // Remembers the requests that an earlier life saved in this directory, and keeps new ones for save() from
    // now on. Before anything else, once. Fails with `unavailable` when the directory cannot be read.
    Result<void> open(const std::filesystem::path& directory, UnixNanos now);
    // What finish() was told by now is on disk when this returns. One caller at a time. Fails with
    // `unavailable`, once in a row with a line in the log; what was not saved is tried again by the next
    // call.
    Result<void> save(UnixNanos now);

    enum class Seen { never, in_flight, durable };
    // For `never` the caller goes on and must call finish(). For `in_flight` the answer of the first one is
    // this one's answer too: `done` was taken and will be called by finish(). For `durable` nothing was
    // taken.
    Seen begin(const Fingerprint& request, UnixNanos now, Intake::Done& done);

    // The request is on disk, or was refused: then it may come again. Returns who else waits for the answer.
    std::vector<Intake::Done> finish(const Fingerprint& request, bool durable, UnixNanos now);

    // A request that the journal holds.
    void remember(const Fingerprint& request, UnixNanos now);

private:
    struct Known {
        bool durable = false;
        std::vector<Intake::Done> waiting{};
    };
    struct Hash {
        std::size_t operator()(const Fingerprint& request) const { return request.low; }
    };
    // As it lies in a file.
    struct Stored {
        UnixNanos at;
        Fingerprint request;
    };
    static_assert(sizeof(Stored) == 24);

    void forget_old(UnixNanos now);
    void keep(const Fingerprint& request, UnixNanos now);
    Result<void> read(const std::filesystem::path& path, UnixNanos now);
    Result<void> append(const std::vector<Stored>& entries, UnixNanos now);
    Result<void> turn_over();

    const Limits limits_;
    std::mutex mutex_;
    std::unordered_map<Fingerprint, Known, Hash> known_;
    // Durable requests; those in flight are as many as are being received.
    std::deque<std::pair<UnixNanos, Fingerprint>> order_;
    std::vector<Stored> unsaved_;  // under mutex_; only with a directory

    // Two files: when the newer one is as old as a request may become, it takes the place of the older one.
    std::filesystem::path directory_;
    UnixNanos began_{};        // of the newer file
    std::size_t entries_ = 0;  // in it
    bool failing_ = false;
};

}  // namespace obs
