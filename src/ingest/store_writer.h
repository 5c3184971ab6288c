// From the journal to the store: gathers what was acknowledged, writes it exactly once, and settles open
// traces.
//
// Each write is announced in the journal first (its boundary); after a crash the same records are written
// again under the same ids, which changes nothing where they had been written (decision 7).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "base/byte_budget.h"
#include "base/time.h"
#include "ingest/open_traces.h"
#include "ingest/payload.h"
#include "ingest/resends.h"
#include "ingest/rollup_schedule.h"
#include "journal/journal.h"
#include "model/live_spans.h"
#include "store/span_store.h"

namespace obs {

class StoreWriter {
public:
    struct Options {
        std::string directory_id;          // part of every write's id
        std::filesystem::path quarantine;  // rows that the store can never take go here
        // At most so long or so many rows before a write, from when the first row was acknowledged; what
        // waited for the write before is joined by what comes in `gather_behind` after it.
        std::chrono::milliseconds gather{50}, gather_behind{20};
        std::chrono::milliseconds confirm_every{1'000};
        std::size_t gather_rows = 10'000;
        std::size_t most_rows = 50'000;                   // in one write, not counting the last request of it
        std::size_t most_bytes = std::size_t{64} << 20;   // the same
        std::size_t queue_bytes = std::size_t{96} << 20;  // beyond, rows are read back from the journal
        std::size_t quarantine_bytes = std::size_t{1} << 30;  // on disk; beyond, bad rows are only counted
        std::chrono::milliseconds retry{100}, retry_at_most{5'000};
        // Of rows by table, of their content, of files in quarantine (decision 30); 0 keeps for ever.
        std::map<TableId, Nanos> keep_rows{};
        Nanos keep_content{};
        Nanos keep_quarantine{};
        // Projects whose rows and contents go earlier than those of others; asked once an hour.
        struct ProjectLifetime {
            std::string org, project;
            std::map<TableId, Nanos> keep_rows{};
            Nanos keep_content{};  // 0: as for all
        };
        std::function<std::vector<ProjectLifetime>()> projects{};
        // Called after rows or contents of some projects were erased.
        std::function<void()> forgotten{};
        RollupSchedule* rollups = nullptr;  // told which spans changed; outlives this
        LiveSpans* live = nullptr;          // told which traces settled; outlives this
        Clock clock = system_now;
    };

    StoreWriter(Options options, SpanStore& store, Journal& journal, OpenTraces& open,
                const Enricher& enricher);
    ~StoreWriter();

    // Reads what the journal holds: which requests are known, which writes were begun. Before start(); then
    // nothing has been submitted. Fails with `corrupt` when the journal cannot be read. Records are confirmed
    // when `resends`, which outlives this, has saved their requests.
    Result<void> recover(Resends& resends);
    void start();

    // Rows that are durable, in the order of their sequences; called by one thread.
    void push(Sequence sequence, Payload payload, ByteBudget::Token token);

    // Writes what is there and stops; gives up at the deadline (then a replay does it). Traces that are open
    // stay so: their records stay unconfirmed, and the next start opens them again. Nothing may be pushed any
    // more. True when everything was written.
    bool stop(std::chrono::steady_clock::time_point deadline);

    // Changes stored rows between two writes, for parts other than settling; waits until it is done. From any
    // thread but the writer's. `cancelled` when the writer stops before, else the store's error.
    Result<void> change(Amendments amendments);

    // Every row up to here is in the store.
    Sequence visible() const { return visible_.load(std::memory_order_acquire); }
    // What was acknowledged before the start is in the store again.
    bool recovered() const { return visible() >= recover_to_; }

    struct Stats {
        std::uint64_t rows_written = 0, writes = 0, retries = 0, quarantined = 0, amended = 0,
                      amendments_lost = 0;
        std::uint64_t queued_rows = 0, queued_bytes = 0, spilled = 0;
        std::uint64_t recovered_rows = 0;  // acknowledged before the start, written after it
        std::string store_error;           // why the last try failed; empty when it succeeded
    };
    Stats stats() const;

private:
    struct Item {
        Sequence sequence = 0;
        Payload payload;
        ByteBudget::Token token;
        std::size_t bytes = 0;
        std::chrono::steady_clock::time_point pushed = std::chrono::steady_clock::now();
    };
    struct Partition {
        TableId table;
        std::int32_t day;
        auto operator<=>(const Partition&) const = default;
    };
    // What another thread waits for.
    struct Change {
        Amendments amendments;
        std::promise<Result<void>> done{};
    };
    // What goes into the next write.
    struct Gathered {
        Boundary records;
        std::map<Partition, AnyBatch> partitions;
        std::vector<ByteBudget::Token> tokens;
        std::size_t rows = 0, bytes = 0;
        std::chrono::steady_clock::time_point due;
    };

    void run(const std::stop_token& stop);
    bool nothing_is_missing(const std::stop_token& stop) const;
    void gather(const std::stop_token& stop);
    void gather_from_queue(const std::stop_token& stop);
    void gather_from_journal();
    bool full() const {
        return gathered_.rows >= options_.most_rows || gathered_.bytes >= options_.most_bytes;
    }
    bool due(const std::stop_token& stop) const;
    void take(Item item, bool maybe_stored);
    void add(AnyBatch batch, Sequence sequence);
    template <class Batch>
    void add_rows(Batch batch, Sequence sequence);

    Result<void> replay_begun_writes(const std::stop_token& stop);
    bool finish_begun_write();
    bool write_gathered(bool announced);
    bool announce(const Boundary& records);
    bool write(const AnyBatch& rows, const std::string& id);
    void bisect(const AnyBatch& rows, const std::string& id);
    void quarantine(const AnyBatch& row, const std::string& id, const Error& reason);

    void spans_changed(std::span<const UnixNanos> starts);
    bool settle();
    bool settle_again(OpenTraces::Again again);
    bool settle_stored(const OpenTraces::Again& again, std::span<const OpenTraces::Again::Trace> traces);
    bool amend(Amendments amendments);
    void make_changes(bool give_up);
    bool join(const OpenTraces::Join& join);
    std::optional<SpanBatch> ask(const RowQuestion& question);
    void confirm();
    void confirm_now();
    void save_running();
    void forget_old();
    void forget_of_projects(UnixNanos now);
    void forget_quarantine();

    // Calls until it succeeds, can never succeed, or the time to stop has come (then: `unavailable`).
    Result<void> insist(const std::function<Result<void>()>& attempt);
    void pause(std::chrono::milliseconds how_long);
    bool must_stop() const;
    bool nothing_waits() const;
    void note_error(const Error* error);

    const Options options_;
    SpanStore& store_;
    Journal& journal_;
    OpenTraces& open_;
    const Enricher& enricher_;
    Resends* resends_ = nullptr;

    // Of the writer's thread.
    Gathered gathered_;
    std::deque<Boundary> begun_;  // writes that a crash may have interrupted, oldest first
    Sequence taken_ = 0;          // the last record that was gathered
    Sequence written_to_ = 0;     // what the journal says was written
    std::chrono::steady_clock::time_point next_forget_{}, next_confirm_{}, next_save_{}, wrote_{};
    std::size_t quarantined_bytes_ = 0;
    // Up to where contents (true) or rows of a project were erased since the start.
    std::map<std::tuple<std::string, std::string, TableId, bool>, UnixNanos> forgotten_;

    mutable std::mutex mutex_;
    std::condition_variable_any filled_;
    std::deque<Item> queue_;        // under mutex_
    std::size_t queued_bytes_ = 0;  // under mutex_
    bool spilling_ = false;         // under mutex_: rows behind the queue are in the journal only
    Sequence last_pushed_ = 0;      // under mutex_
    std::vector<Change> changes_;   // under mutex_
    bool ended_ = false;            // under mutex_: nobody makes changes any more
    Stats stats_;                   // under mutex_

    std::atomic<Sequence> visible_ = 0;
    Sequence recover_to_ = 0;
    std::atomic<std::chrono::steady_clock::time_point> stop_at_{std::chrono::steady_clock::time_point::max()};
    std::atomic<bool> all_written_ = false;
    std::jthread worker_;  // must be last: it uses everything above
};

}  // namespace obs
