// The seam between what came in and where it is kept. Every implementation passes the suite of
// store/contract_test.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "model/batches.h"
#include "model/question.h"
#include "store/figures.h"
#include "store/parquet.h"
#include "store/rollup.h"

namespace obs {

// When to give up: asked for by the caller, or time is over. Then a call fails with `cancelled`.
struct Cancel {
    std::stop_token stop{};
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    bool due() const { return stop.stop_requested() || std::chrono::steady_clock::now() >= deadline; }
};

// Finds one stored span. `ts` is part of the key, so that a store need not look at every day.
struct SpanKey {
    UnixNanos ts;
    TraceId trace_id;
    SpanId span_id;
};

// What settling a trace changes in rows that are stored (decisions 10 and 11). All of one project. Doing it
// twice is the same as doing it once; a key without a stored row is ignored. A value moves only when there is
// one. Own usage without a place in rollup_* (total, cached, reasoning, audio, image tokens, prompt and
// completion cost) is dropped by to_rollup; to_own sets total_tokens from its parts.
struct Amendments {
    std::string org, project;
    std::uint64_t seq = 0;  // goes into amended_seq
    std::vector<SpanKey>
        to_rollup;  // usage was a descendant's: own tokens and costs move to rollup_*, is_call = 0
    std::vector<SpanKey>
        to_own;  // nobody below has usage: rollup_* moves to own tokens and cost, is_call = 1
    std::vector<SpanKey> to_root;   // is_root = 1
    std::vector<SpanKey> not_root;  // is_root = 0
    // Rows of spans that came again and say more, in another record: they go.
    struct Repeated {
        SpanKey key;
        std::uint64_t seq = 0;
    };
    std::vector<Repeated> repeated;
    // Rows whose content became known later: every column flagged `content` or `with_content`
    // of the stored row (same ts, trace_id, span_id) is replaced by this row's.
    SpanBatch content;
    // Model calls that were priced anew, known by their seq as well: prompt_cost, completion_cost,
    // total_cost, cost_source and price_rule of the stored row are replaced by this row's, missing ones too.
    // Rows that are calls no more stay as they are.
    SpanBatch costs;
    bool empty() const { return rows() == 0; }
    // Rows that it speaks of; one that it speaks of twice counts twice.
    std::size_t rows() const {
        return to_rollup.size() + to_own.size() + to_root.size() + not_root.size() + repeated.size() +
               content.size() + costs.size();
    }
};

struct Forget {
    // Content: texts, and figures that follow from them (columns with a presence flagged `with_content`).
    enum class What : std::uint8_t { rows, content };
    What what = What::rows;
    TableId table = TableId::spans;
    std::string org{}, project{};          // empty: all
    std::optional<UnixNanos> before{};     // rows that started earlier
    std::optional<std::string> user_id{};  // rows of this user
};

struct StoreHealth {
    bool ok = true;
    std::string reason{};  // why not; for the operator
    std::uint64_t rows = 0, bytes_on_disk = 0, parts = 0, free_bytes = 0;
};

class SpanStore {
public:
    virtual ~SpanStore() = default;

    // Brings the schema up to date. Before anything else, once. Refuses a schema newer than the program.
    virtual Result<void> migrate() = 0;

    // Stores rows that all belong to one day (day_of(ts)); all or nothing, and durable when it returns.
    // Writing again under the same id changes nothing. Fails with `invalid_input` when the content can never
    // be stored, with `unavailable` or `overloaded` when a later try can succeed. One caller at a time. `id`
    // is made of [A-Za-z0-9-].
    // Scores with a score_id are versions (store/score_versions.h): when it returns, the project has one row
    // with that id, the last, or none when that takes the score back. Meanwhile readers may see two.
    virtual Result<void> write(const AnyBatch& rows, std::string_view id) = 0;

    // Changes stored rows; see Amendments. Visible when it returns. Not at the same time as `write`.
    virtual Result<void> amend(const Amendments& amendments) = 0;

    // Any thread may ask.
    virtual Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) = 0;
    virtual Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) = 0;
    // Figures of model calls; reads the rollups that the question names, unless they are not finished.
    virtual Result<FigureTables> figures(const FigureQuestion& question, const Cancel& cancel) {
        return figures_of_rows(*this, question, cancel);
    }
    // Hands over all rows of the question in pieces of bounded size; a limit of 0 is no limit. `sink` returns
    // false to stop.
    virtual Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                                const Cancel& cancel) = 0;

    // The same for files, which take minutes: nobody else waits for it, and little memory is used, whatever
    // the number of rows.
    virtual Result<void> export_rows(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                                     const Cancel& cancel) {
        return stream(question, sink, cancel);
    }
    // Writes the rows, of one project after the other and each newest first, whatever the question's order.
    // The question's columns do not matter, the file's do. `going_on` is told about once a second how many
    // rows were read to find them, and returns false to stop; then, as after any failure, what is in the file
    // is of no use. `invalid_input` when this store cannot.
    virtual Result<void> write_parquet(const RowQuestion&, const ParquetFile&,
                                       const std::function<bool(std::uint64_t rows_read)>& going_on,
                                       const Cancel&);

    // Erases for good; what the journal still holds is the caller's business. Spans that age out (`before`,
    // no user) stay in rollups, which live longer; other spans leave them: their users, sessions and projects
    // at once, their figures when the buckets, stale from now on, are rolled up again.
    virtual Result<void> forget(const Forget& what) = 0;

    // Rollups (store/rollup.h). A store that answers from its rows alone keeps none: there these do nothing.
    // Any thread, while rows are written and amended; what changes meanwhile may be left out and is stale.
    //
    // Replaces what is kept of these buckets by the figures of the rows there are now. All or nothing for
    // each bucket: one that was not finished is stale, also after a crash. A bucket of which rows have aged
    // out keeps what it has.
    virtual Result<void> roll_up(const RollUp&, const Cancel&) { return {}; }
    // Buckets whose rows changed since they were rolled up, or that never were; ascending. Reads three
    // columns of every span.
    virtual Result<std::vector<RollupBucket>> stale_rollups(const Cancel&) { return {}; }
    // Drops buckets of this level that ended before; by whole days of minutes, and weeks of hours and days.
    virtual Result<void> forget_rollups(RollupLevel, UnixNanos) { return {}; }

    virtual StoreHealth health() = 0;
};

}  // namespace obs
