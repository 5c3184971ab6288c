// Lists of log records, metric points and audit records: tables whose rows have no id of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/question.h"
#include "query/cursor.h"
#include "query/live_data.h"
#include "store/span_store.h"

namespace obs::query {

struct RecordQuestion {
    RecordQuestion(TableId of, Scope whose) : table(of), scope(std::move(whose)) {}

    TableId table;
    Scope scope;
    Filter filter{};
    Window window{};
    std::vector<Order> order{};  // newest first when empty
    std::size_t limit = 50;
    std::vector<const ColumnInfo*> columns{};
    UnixNanos now;                  // of the first page
    std::uint64_t fingerprint = 0;  // of everything above but limit and columns
    std::optional<Cursor> cursor{};
};

struct RecordPage {
    AnyBatch rows;
    std::optional<std::string> cursor;
    std::optional<UnixNanos>
        scanned_to;            // the budget was used up here; the cursor goes on below (decision 24)
    bool content_cut = false;  // a long text is shown by its beginning
};

// Thread-safe. A walk shows each row that was visible at its first page once, also where many rows share
// everything that the order looks at: those are put in an order of their own, by all of their columns. Errors
// are those of Traces; `too_large` when more than `most_alike` rows cannot be told apart.
class Records {
public:
    static constexpr std::size_t most_alike = 20'000;

    // Both outlive this.
    Records(SpanStore& store, const LiveData& live) : store_(store), live_(live) {}

    Result<RecordPage> list(const RecordQuestion& question, const Cancel& cancel) const;

private:
    SpanStore& store_;
    const LiveData& live_;
};

}  // namespace obs::query
