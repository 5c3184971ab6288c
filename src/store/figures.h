// Figures of model calls over a window, put together from rollups where they can answer and from rows
// elsewhere (decision 13).
//
// Only rows with is_call = 1 count: what wrappers repeat is never summed. Aggregates mean what
// store/aggregate.h says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/question.h"
#include "store/rollup.h"

namespace obs {

class SpanStore;
struct Cancel;

// A part of the window, and the rollups it is read from; from rows when it names no level.
struct FigurePiece {
    UnixNanos from, to;  // of rollups: whole buckets
    std::optional<RollupLevel> level{};
    auto operator<=>(const FigurePiece&) const = default;
};

struct FigureQuestion {
    explicit FigureQuestion(Scope whose) : scope(std::move(whose)) {}

    Scope scope;
    std::vector<FigurePiece> pieces{};  // ascending, without gaps: together they are the window
    Filter filter{};
    // Starts of time buckets and the end of the last one, ascending. The first may lie before the window. No
    // bucket of a rollup lies across an edge.
    std::vector<UnixNanos> edges{};
    std::vector<FieldRef> group_by{};
    std::vector<Aggregate> aggregates{};
    // One table each, so that one look at the data answers several questions alike.
    struct Set {
        bool by_time = false;               // column `bucket`: the edge at its start
        std::vector<std::size_t> groups{};  // of group_by, ascending. A list is in every set or in none
    };
    std::vector<Set> sets{};
    // Rows of sets without time: by an aggregate's name, else by groups. With time: by bucket and groups.
    std::string order_by{};
    bool descending = true;
    std::size_t limit = 10'000;                // rows of each set
    std::optional<std::uint64_t> up_to_seq{};  // of rows
    std::uint64_t exact_up_to = 1'000'000;     // quantiles of more rows are those of a sketch (decision 22)
};

struct FigureTables {
    std::vector<Table> sets;  // columns: `bucket`, groups, aggregates
    // Quantiles are those of the values; else they lie within 0.5 % of them.
    bool exact = true;
};

// Whether rollups of that level know what the question asks for, whatever its pieces are. Minutes and hours
// know project, service, provider, models, environment, kind and status; hours and days know one of user,
// session, tags and, of calls that failed, the code of the error.
bool rollups_answer(RollupLevel level, const FigureQuestion& question);
// Which of these; null for a question that is not about one of them.
const ColumnInfo* rollup_key(const FigureQuestion& question);

// Of a count of rows for which one field is known (or a duration not negative), the field as rollups know it.
const ColumnInfo* counted_field(const Aggregate& aggregate);

// Fails with `invalid_input` when the question cannot be answered.
Result<void> check(const FigureQuestion& question);

// The answer from rows alone, whatever the pieces say: what the figures mean.
Result<FigureTables> figures_of_rows(SpanStore& store, const FigureQuestion& question, const Cancel& cancel);

// The time bucket of a row; edges as in the question.
UnixNanos bucket_start(std::span<const UnixNanos> edges, UnixNanos at);
// Orders and cuts the table of one set as the question says.
void order_figures(Table& table, const FigureQuestion& question, const FigureQuestion::Set& set);

}  // namespace obs
