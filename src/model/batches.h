// Batches: one struct of columns per table, made from the lists of model/schema.h.
#pragma once

#include <cstddef>
#include <type_traits>
#include <variant>

#include "model/columns.h"
#include "model/schema.h"

namespace obs {

// The names used in model/schema.h.
namespace column {
using obs::Dict;
using obs::Map;
using obs::Text;
using obs::TextList;
using U8 = Fixed<std::uint8_t>;
using U16 = Fixed<std::uint16_t>;
using U32 = Fixed<std::uint32_t>;
using U64 = Fixed<std::uint64_t>;
using Time = Fixed<UnixNanos>;
using Duration = Fixed<Nanos>;
using TraceIds = Fixed<TraceId>;
using SpanIds = Fixed<SpanId>;
using OptU8 = Optional<std::uint8_t>;
using OptI64 = Optional<std::int64_t>;
using OptF64 = Optional<double>;
using OptTokens = Optional<Tokens>;
using OptUsd = Optional<Usd>;
using OptDuration = Optional<Nanos>;
}  // namespace column

// for_each_column(f) calls f(const ColumnInfo&, column&) in the order of the list; all columns of a batch
// have at most size() rows.
#define OBS_DECLARE_COLUMN(name, Type, flags, meaning) column::Type name;
#define OBS_VISIT_COLUMN(name, Type, flags, meaning) f(*info++, name);
#define OBS_DECLARE_BATCH(Batch, table_id, COLUMNS)            \
    struct Batch {                                             \
        static constexpr TableId table = table_id;             \
        COLUMNS(OBS_DECLARE_COLUMN)                            \
        std::size_t size() const {                             \
            return ts.stored();                                \
        }                                                      \
        bool empty() const {                                   \
            return size() == 0;                                \
        }                                                      \
        template <class F>                                     \
        void for_each_column(F&& f) {                          \
            const ColumnInfo* info = columns_of(table).data(); \
            COLUMNS(OBS_VISIT_COLUMN)                          \
        }                                                      \
        template <class F>                                     \
        void for_each_column(F&& f) const {                    \
            const ColumnInfo* info = columns_of(table).data(); \
            COLUMNS(OBS_VISIT_COLUMN)                          \
        }                                                      \
    };

// `ts` is put for every row of every table, so it counts them.
OBS_DECLARE_BATCH(SpanBatch, TableId::spans, OBS_SPAN_COLUMNS)
OBS_DECLARE_BATCH(LogBatch, TableId::logs, OBS_LOG_COLUMNS)
OBS_DECLARE_BATCH(MetricBatch, TableId::metric_points, OBS_METRIC_COLUMNS)
OBS_DECLARE_BATCH(ScoreBatch, TableId::scores, OBS_SCORE_COLUMNS)
OBS_DECLARE_BATCH(AuditBatch, TableId::audit, OBS_AUDIT_COLUMNS)

#undef OBS_DECLARE_COLUMN
#undef OBS_VISIT_COLUMN
#undef OBS_DECLARE_BATCH

using AnyBatch = std::variant<SpanBatch, LogBatch, MetricBatch, ScoreBatch, AuditBatch>;
AnyBatch empty_batch(TableId table);
std::size_t size_of(const AnyBatch& batch);
TableId table_of(const AnyBatch& batch);
// Bytes held by the columns, for budgets. One for each table, so that none is copied into an AnyBatch for it.
std::size_t bytes_of(const SpanBatch& batch);
std::size_t bytes_of(const LogBatch& batch);
std::size_t bytes_of(const MetricBatch& batch);
std::size_t bytes_of(const ScoreBatch& batch);
std::size_t bytes_of(const AuditBatch& batch);
std::size_t bytes_of(const AnyBatch& batch);

// Appends row `from_row` of `from` as the next row of `to`.
template <class Batch>
void append_row(Batch& to, const Batch& from, std::size_t from_row);
// Appends all rows of `from`, column by column.
template <class Batch>
void append_rows(Batch& to, const Batch& from);

}  // namespace obs

#include "model/batches_impl.h"
