// Questions about figures of model calls: decides for each piece of the window whether rollups can be read or
// spans must be (decision 13), and asks the store once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "model/question.h"
#include "query/live_data.h"
#include "store/span_store.h"

namespace obs::query {

// Which rollups say at the moment what the spans say. Implemented by ingest/, thread-safe and quick.
class RollupCurrency {
public:
    virtual ~RollupCurrency() = default;
    // Buckets of that level in [from, to) whose spans changed since they were computed, ascending. Nothing
    // while nobody knows: then no rollup can be read.
    virtual std::optional<std::vector<UnixNanos>> outdated(RollupLevel level, UnixNanos from,
                                                           UnixNanos to) const = 0;
    // Rollups of that level are kept from there on.
    virtual UnixNanos kept_from(RollupLevel level, UnixNanos now) const = 0;
};

// Where figures came from: rollups, spans, or both.
enum class DataSource : std::uint8_t { aggregate, raw, mixed };
std::string_view name_of(DataSource source);
// Of two parts of one answer.
DataSource together(DataSource a, DataSource b);

struct FigureAnswer {
    std::vector<Table> sets;
    DataSource source = DataSource::raw;
    bool exact = true;  // quantiles
};

// Thread-safe.
class Figures {
public:
    // All outlive this. Without `currency` everything is read from spans.
    Figures(SpanStore& store, const LiveData& live, const RollupCurrency* currency)
        : store_(store), live_(live), currency_(currency) {}

    // `question` says everything but its pieces.
    Result<FigureAnswer> answer(FigureQuestion question, Window window, UnixNanos now,
                                const Cancel& cancel) const;
    // How it would be answered: rollups for the pieces that name a level, spans for the others.
    std::vector<FigurePiece> pieces(const FigureQuestion& question, Window window, UnixNanos now) const;
    // The window with two ends: without them it holds all that is kept, and what comes from clocks ahead.
    Window closed(Window window, UnixNanos now) const;
    // Figures of other kinds, of model calls in the window.
    Result<Table> of_calls(GroupQuestion question, const Cancel& cancel) const;
    SpanStore& store() const { return store_; }
    // Whether it is known which rollups are right, or there are none; else everything is read from spans.
    bool knows_rollups() const {
        return currency_ == nullptr || currency_->outdated(RollupLevel::hour, {}, {});
    }
    // For several questions that should see the same spans.
    std::uint64_t visible_seq() const;

private:
    SpanStore& store_;
    const LiveData& live_;
    const RollupCurrency* currency_;
};

// The pieces of [from, to) in which rollups of `levels` (coarse first) can answer, spans elsewhere.
std::vector<FigurePiece> plan_pieces(UnixNanos from, UnixNanos to, std::span<const UnixNanos> edges,
                                     std::span<const RollupLevel> levels, const RollupCurrency& currency,
                                     UnixNanos now);

// ----- what figures are asked by

// What answers are grouped by, as clients name it: `user` for user_id, `team` for the attribute team.id, any
// groupable field, `attributes.<key>`.
struct Dimension {
    std::string name;
    FieldRef field;
    bool is_attribute() const { return field.column != nullptr && field.column->type == ColumnType::map; }
};
std::optional<Dimension> dimension_from(std::string_view name);

// A group as text; empty for spans that have none.
std::string group_text(const FieldRef& field, const Cell& cell);

// ----- aggregates by name

Aggregate count_of_calls(std::string name = "calls");
Aggregate count_of_errors(std::string name = "errors");
// Calls for which the field is known.
Aggregate count_with(std::string_view column, std::string name);
Aggregate sum_of(std::string_view column, std::string name);
Aggregate aggregate_of(Aggregate::Function function, std::string_view column, std::string name);
Aggregate quantile_of(std::string_view column, double level, std::string name);

// ----- cells

// Reads the rows of one table by the names of its columns.
class FigureTable {
public:
    explicit FigureTable(const Table& table) : table_(table) {}
    std::size_t size() const { return table_.rows.size(); }
    std::size_t column(std::string_view name) const;  // which must be there
    std::optional<std::int64_t> integer(std::size_t row, std::string_view name) const;
    std::int64_t count(std::size_t row, std::string_view name) const {
        return integer(row, name).value_or(0);
    }
    std::optional<double> number(std::size_t row, std::string_view name) const;  // integers too
    std::optional<Usd> money(std::size_t row, std::string_view name) const;
    UnixNanos bucket(std::size_t row) const { return {count(row, "bucket")}; }
    const Cell& cell(std::size_t row, std::size_t column) const { return table_.rows[row][column]; }

private:
    const Table& table_;
};

}  // namespace obs::query
