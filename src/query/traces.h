// Questions about traces, in the words of the domain: a page of a list, one trace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/question.h"
#include "query/cursor.h"
#include "query/live_data.h"
#include "store/span_store.h"

namespace obs::query {

// What a row of a list is.
enum class View : std::uint8_t {
    calls,  // a model call
    roots,  // a trace, shown as its root span
    spans,  // any span
};
std::optional<View> view_from(std::string_view word);
// The spans that are rows of it.
Filter filter_of(View view);

struct Include {
    bool children = false, evaluations = false, feedback = false;
};

// The columns that answers show; without prompt and answer text for callers who may not read it.
enum class Content : std::uint8_t { shown, hidden };
std::vector<const ColumnInfo*> shown_columns(TableId table, Content content);

struct ListQuestion {
    explicit ListQuestion(Scope whose) : scope(std::move(whose)) {}

    Scope scope;
    View view = View::calls;
    Filter filter{};
    Window window{};
    std::vector<Order> order{};  // of columns; newest first when empty
    std::size_t limit = 50;
    std::vector<const ColumnInfo*> columns{};
    Include include{};
    UnixNanos now;                   // of the first page
    std::uint64_t fingerprint = 0;   // of everything above but limit, columns and include
    std::optional<Cursor> cursor{};  // nothing: the first page
};

// Of all spans of a trace, whatever the list was filtered by.
struct TraceTotals {
    std::int64_t spans = 0, errors = 0;
    Nanos duration{};                // from the first start to the last end
    std::optional<Tokens> tokens{};  // nothing if no span knows
    std::optional<Usd> cost{};
    std::vector<std::string> models{};
};

struct ListPage {
    SpanBatch rows;
    std::size_t count = 0;            // of the rows that belong to the page: the first ones
    std::vector<TraceTotals> totals;  // View::roots: one per row
    SpanBatch family;                 // include.children: all spans of the page's traces
    ScoreBatch scores;                // include.evaluations, include.feedback: of the page's traces
    std::optional<std::string> cursor;
    // The budget was used up here; the cursor goes on below (decision 24).
    std::optional<UnixNanos> scanned_to;
    bool content_cut = false;  // a long text is shown by its beginning; the whole is in its trace
};

// Some spans of a trace, whole.
struct SomeSpans {
    SpanBatch spans;              // those that there are, earliest first
    std::vector<bool> running{};  // per row: began and has not ended
    bool content_cut = false;     // a long text is shown by its beginning, because many were asked for
    ScoreBatch scores{};
};

struct OneTrace {
    SpanBatch spans;            // with include.children all of them, else the one to show
    std::size_t shown = 0;      // the root, or the earliest span
    std::vector<bool> running;  // per row: began and has not ended
    UnixNanos news{};           // when it was last heard of, if one is
    // With include.children only.
    std::optional<TraceTotals> totals;
    bool content_cut = false;  // long texts are shown by their beginning, because the trace is big
    bool spans_cut = false;    // there are more spans than are shown
    ScoreBatch scores;
};

// Of each of these traces, in their order, whatever the scope shows of them.
Result<std::vector<TraceTotals>> totals_of(SpanStore& store, const Scope& scope,
                                           std::span<const TraceId> traces, const Cancel& cancel);

// Refuses to go on with a walk in an order that may have changed: rows that the question is about were
// amended since its up_to_seq.
Result<void> refuse_if_amended(SpanStore& store, const RowQuestion& asked, const Cancel& cancel);

// Thread-safe. Errors: `invalid_input` (a cursor that cannot be followed any more, too much asked for),
// `unavailable`, `overloaded`, `cancelled`, `internal`.
class Traces {
public:
    struct Limits {
        std::size_t tree_spans = 100'000;   // of one trace
        std::size_t tree_bytes = 64 << 20;  // above: texts are cut to `cut_bytes`
        std::size_t cut_bytes = 1024;
        // Of one text in a list: between these, the fewer rows are asked for the more.
        std::size_t list_text_least = 64 << 10, list_text_most = 1 << 20;
        std::size_t list_bytes = 64 << 20;
        std::size_t family_text = 8 << 10;  // the same of the spans below the rows of a list
        std::size_t family_spans = 20'000;  // of the traces of one page
        std::size_t scores = 10'000;
    };

    // Both outlive this.
    Traces(SpanStore& store, const LiveData& live) : Traces(store, live, Limits{}) {}
    Traces(SpanStore& store, const LiveData& live, Limits limits)
        : store_(store), live_(live), limits_(limits) {}

    Result<ListPage> list(const ListQuestion& question, const Cancel& cancel) const;
    // Nothing when the scope holds no such trace.
    Result<std::optional<OneTrace>> one(const Scope& scope, TraceId trace,
                                        const std::vector<const ColumnInfo*>& columns, Include include,
                                        const Cancel& cancel) const;

    Result<SomeSpans> some(const Scope& scope, TraceId trace, std::span<const SpanId> ids,
                           const std::vector<const ColumnInfo*>& columns, Include include,
                           const Cancel& cancel) const;

private:
    Result<SpanBatch> root_of(const Scope& scope, TraceId trace,
                              const std::vector<const ColumnInfo*>& columns, const Cancel& cancel) const;
    Result<void> gather(OneTrace& found, const Scope& scope, TraceId trace,
                        const std::vector<const ColumnInfo*>& columns, const Cancel& cancel) const;
    void add_running(OneTrace& found, const Scope& scope, TraceId trace) const;
    Result<void> add_totals(ListPage& page, const Scope& scope, const Cancel& cancel) const;
    Result<void> add_family(ListPage& page, const ListQuestion& question, const Cancel& cancel) const;
    Result<ScoreBatch> scores_of(const Scope& scope, Filter traces, Include include,
                                 const Cancel& cancel) const;
    std::size_t list_text(std::size_t rows) const;

    SpanStore& store_;
    const LiveData& live_;
    const Limits limits_;
};

}  // namespace obs::query
