// An append-only log of what was acknowledged: it survives a crash, and is replayed at the next start until
// the store has it. The file format is in docs/journal-format.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace obs {

// Of a record, from 1, in the order of the log; never given twice, also not after a restart.
using Sequence = std::uint64_t;

enum class RecordKind : std::uint8_t {
    rows = 1,      // an acknowledged request
    boundary = 2,  // what the store writer is about to write (decision 7)
    written = 3,   // that it was written
};

class Journal {
public:
    struct Options {
        std::filesystem::path directory;  // must exist
        std::size_t segment_size = std::size_t{64} << 20;
        // Over it, `submit` refuses rows. At least two segments.
        std::uint64_t disk_budget = std::uint64_t{20} << 30;
        std::size_t queue_bytes = std::size_t{128} << 20;  // waiting to be written; over it, `submit` refuses
    };

    // What was found at the start.
    struct Recovery {
        Sequence oldest = 1;           // that can still be read, confirmed or not
        Sequence first = 0, last = 0;  // not confirmed; 0 when there are none
        std::uint64_t torn_bytes = 0;  // of writes that were cut off and never acknowledged
    };

    // Reads the directory and cuts a torn tail. Fails with `corrupt`, naming file and byte, when an
    // acknowledged record is damaged, and with `unavailable` when the directory cannot be written.
    static Result<std::unique_ptr<Journal>> open(Options options);
    // Writes what is queued, then stops.
    virtual ~Journal() = default;

    virtual const Recovery& recovery() const = 0;

    // Hands over the durable records from `from` on, oldest first, up to the last one that is durable when it
    // ends. An error of `deliver` ends it and is returned. The payload lives until `deliver` returns. One
    // caller at a time, beside others that submit; what has not been delivered yet must not be confirmed
    // meanwhile.
    using Deliver = std::function<Result<void>(Sequence, RecordKind, std::string_view payload)>;
    virtual Result<void> replay(Sequence from, const Deliver& deliver) = 0;
    // The same, with the first bytes of each payload alone: what lies behind them is not unpacked.
    virtual Result<void> replay_heads(Sequence from, std::size_t bytes, const Deliver& deliver) = 0;

    // Calls back exactly once, on the journal's thread (or on this one when it refuses at once), when the
    // record is on disk, or with `overloaded` (queue or disk budget used up) or `unavailable` (the disk
    // refuses); later calls can succeed again without a restart. Records become durable in the order of their
    // sequences. Compresses on the calling thread; any thread may call.
    using Done = std::function<void(Result<Sequence>)>;
    virtual void submit(RecordKind kind, std::string_view payload, Done done) = 0;

    // Nothing up to here is needed any more. Space is used again segment by segment. Any thread.
    virtual void confirm(Sequence up_to) = 0;

    struct Stats {
        Sequence last_durable = 0, confirmed = 0;
        std::uint64_t disk_bytes = 0, disk_budget = 0, queued_bytes = 0, segments = 0;
        std::uint64_t commits = 0, records = 0, bytes = 0, refused = 0, failed_commits = 0;
        std::uint64_t sync_nanos = 0;  // spent in fdatasync since the start
    };
    virtual Stats stats() const = 0;
};

}  // namespace obs
