// Spans that have begun and have not ended, as far as their emitters tell (decision 10): placeholders, spans
// without an end, heartbeats. They are shown and never stored; the row that comes with an end is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "journal/journal.h"
#include "model/batches.h"

namespace obs {

// Thread-safe; changed by one thread. Bounded: beyond `bytes` the traces that were heard of least recently
// are forgotten first.
class RunningSpans {
public:
    struct Options {
        std::size_t bytes = std::size_t{32} << 20;
        Nanos give_up_after = Nanos::hours(24);  // without news of the trace
    };
    RunningSpans() : RunningSpans(Options{}) {}
    explicit RunningSpans(Options options) : options_(options) {}

    // Reads back what an earlier life saved in this directory; save() writes there from now on. A damaged
    // file is as good as none. Fails with `unavailable` when it cannot be read.
    Result<void> open(const std::filesystem::path& directory);
    // What put() was told is on disk when this returns; then the journal may forget it. Fails with
    // `unavailable`.
    Result<void> save();
    // The first record with a word that is not saved; nothing when all is.
    std::optional<Sequence> unsaved() const;

    // The latest word of a span counts. The row names its organisation and project.
    void put(const SpanBatch& rows, std::size_t row, Sequence seq, UnixNanos now);
    // A span came with its end: it does not run any more, and its trace was heard of.
    void ended(const SpanBatch& rows, std::size_t row, UnixNanos now);
    // Whether ended() has anything to do.
    bool any() const { return count_.load(std::memory_order_relaxed) != 0; }
    void forget_old(UnixNanos now);

    struct Found {
        SpanBatch spans;
        std::vector<UnixNanos> news;  // of each: when its trace was last heard of
    };
    // In order of their last words. No projects: all of the organisation's; no trace: all.
    Found find(std::string_view org, const std::vector<std::string>& projects,
               std::optional<TraceId> trace) const;

    struct Stats {
        std::uint64_t running = 0;
        std::uint64_t given_up = 0;  // never ended, or no room
    };
    Stats stats() const;

private:
    struct Key {
        TraceId trace;
        SpanId span;  // zero: the trace
        std::uint64_t tenant = 0;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    struct Run {
        std::size_t spans = 0;
        UnixNanos news{};
    };
    static Key key_of(const SpanBatch& rows, std::size_t row);
    static Key trace_of(Key key);

    // Of rows_: whether the row is the latest word of a span that runs; when the trace of one was heard of.
    bool lives(std::size_t row) const;
    UnixNanos news_of(std::size_t row) const;
    void put_locked(const SpanBatch& rows, std::size_t row, UnixNanos now);
    void end_locked(const Key& key);
    void give_up(const std::unordered_set<Key, Hash>& traces);
    void make_room();
    // Rows that were replaced or have ended, when they are half of all.
    void drop_dead_rows();

    const Options options_;
    mutable std::mutex mutex_;
    SpanBatch rows_;                                     // some are dead
    std::unordered_map<Key, std::size_t, Hash> places_;  // of those that live
    std::unordered_map<Key, Run, Hash> traces_;
    std::atomic<std::size_t> count_ = 0;
    std::optional<Sequence> unsaved_;
    bool changed_ = false;  // since the last save
    std::uint64_t given_up_ = 0;
    std::filesystem::path directory_;
};

}  // namespace obs
