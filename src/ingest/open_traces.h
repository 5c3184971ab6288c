// The table of traces that are still arriving (decision 10): the one place that knows what only later spans
// can tell.
//
// It settles leaf-only usage: a model call with a model call below it is a wrapper whose usage is repeated
// from below; an agent without any usage below it is the only one who knows it. It joins content that arrives
// as log events, notices spans that were sent twice, keeps running spans, and gives every trace a root.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/time.h"
#include "ingest/running_spans.h"
#include "journal/journal.h"
#include "model/batches.h"
#include "model/intake.h"
#include "model/live_spans.h"
#include "store/span_store.h"

namespace obs {

class Enricher;

// Fed by one thread, in the order of the journal; running() may be called by any.
class OpenTraces {
public:
    struct Options {
        Nanos settle_after = Nanos::seconds(30);      // without news
        Nanos settle_after_root = Nanos::seconds(5);  // the same once the root has ended
        Nanos settle_at_last = Nanos::seconds(600);   // whatever comes
        std::size_t bytes = std::size_t{128} << 20;   // over it, the traces that are due first settle early
        // Spans that began earlier may be of traces that settled before the program was started.
        UnixNanos began{};
        RunningSpans::Options running{};
    };
    OpenTraces(Options options, const Enricher& enricher);
    ~OpenTraces();

    // What is new. `seq` is the record they came in; `now` the time of settling clocks. `maybe_stored`: the
    // rows are replayed, and may lie in the store in the state of an earlier try.
    struct Arrival {
        const Tenant& tenant;
        Sequence seq;
        UnixNanos now;
        bool maybe_stored = false;
    };
    // Returns the rows to store, with is_root, usage and content as far as they are known now: of a trace
    // whose root has not come, the first span without its parent is the root for the time being. Rows that
    // are in the table already are left out, unless they say more; then the earlier ones are to go.
    SpanBatch spans(const Arrival& arrival, SpanBatch rows);
    // Rows that say a span is running.
    void running(const Arrival& arrival, const SpanBatch& rows);
    // Rows of EnrichedLogs::content.
    void content(const Arrival& arrival, const SpanBatch& rows);

    // What has to change in stored rows.
    struct Join {
        std::string org, project;
        SpanBatch content;  // in order of arrival, with ts of the span they belong to
    };
    // Traces of which the store may have spans that are not in the table: they settled before. What has to
    // change is known from the stored rows alone; see settle_stored().
    struct Again {
        struct Trace {
            TraceId id;
            UnixNanos first, last;  // start of spans that are in the table
        };
        std::string org, project;
        std::vector<Trace> traces;
    };
    struct Due {
        std::vector<Amendments> amendments;
        std::vector<Again> again;
        std::vector<Join> joins;
        std::vector<SettledTrace> settled{};  // when asked for
        bool empty() const { return amendments.empty() && again.empty() && joins.empty(); }
    };
    // What became known since the last call, and what settles by now.
    enum class Listing { nothing, settled };
    Due due(UnixNanos now, Listing listing = Listing::nothing);

    // Adds what has to change in all the stored rows of some traces of one project, so that they are settled.
    // Asks for nothing where they are. Any thread.
    static void settle_stored(const SpanBatch& rows, Amendments& changes);
    // What it wants to know of a row.
    static std::vector<const ColumnInfo*> settling_columns();

    // Holds more than it may, until due() settles the oldest.
    bool full() const;

    // The first record that an open trace may need again after a crash; nothing when no trace is open.
    std::optional<Sequence> oldest() const;

    // What has begun and not ended; it stays there when its trace settles.
    RunningSpans& running_spans() { return running_; }
    const RunningSpans& running_spans() const { return running_; }

    struct Stats {
        std::uint64_t open_traces = 0, open_spans = 0, bytes = 0;
        std::uint64_t repeated_spans = 0;  // sent twice, stored once
        std::uint64_t replaced_spans = 0;  // of them, those whose later row said more
        std::uint64_t settled_traces = 0, settled_early = 0;
        std::uint64_t joined_events = 0;     // content that found its span
        std::uint64_t unmatched_events = 0;  // content whose span never came
    };
    Stats stats() const;

private:
    struct State;
    RunningSpans running_;
    std::unique_ptr<State> state_;
};

}  // namespace obs
