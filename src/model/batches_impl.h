// Templates of model/batches.h.
#pragma once

#include <array>
#include <utility>

namespace obs {

namespace batches_detail {

#define OBS_APPEND_COLUMN(name, Type, flags, meaning) to.name.append(row, from.name, from_row);
inline void append(SpanBatch& to, std::size_t row, const SpanBatch& from, std::size_t from_row) {
    OBS_SPAN_COLUMNS(OBS_APPEND_COLUMN)
}
inline void append(LogBatch& to, std::size_t row, const LogBatch& from, std::size_t from_row) {
    OBS_LOG_COLUMNS(OBS_APPEND_COLUMN)
}
inline void append(MetricBatch& to, std::size_t row, const MetricBatch& from, std::size_t from_row) {
    OBS_METRIC_COLUMNS(OBS_APPEND_COLUMN)
}
inline void append(ScoreBatch& to, std::size_t row, const ScoreBatch& from, std::size_t from_row) {
    OBS_SCORE_COLUMNS(OBS_APPEND_COLUMN)
}
inline void append(AuditBatch& to, std::size_t row, const AuditBatch& from, std::size_t from_row) {
    OBS_AUDIT_COLUMNS(OBS_APPEND_COLUMN)
}
#undef OBS_APPEND_COLUMN

#define OBS_APPEND_ALL(name, Type, flags, meaning) to.name.append_all(rows, from.name);
inline void append_all(SpanBatch& to, std::size_t rows, const SpanBatch& from) {
    OBS_SPAN_COLUMNS(OBS_APPEND_ALL)
}
inline void append_all(LogBatch& to, std::size_t rows, const LogBatch& from) {
    OBS_LOG_COLUMNS(OBS_APPEND_ALL)
}
inline void append_all(MetricBatch& to, std::size_t rows, const MetricBatch& from) {
    OBS_METRIC_COLUMNS(OBS_APPEND_ALL)
}
inline void append_all(ScoreBatch& to, std::size_t rows, const ScoreBatch& from) {
    OBS_SCORE_COLUMNS(OBS_APPEND_ALL)
}
inline void append_all(AuditBatch& to, std::size_t rows, const AuditBatch& from) {
    OBS_AUDIT_COLUMNS(OBS_APPEND_ALL)
}
#undef OBS_APPEND_ALL

}  // namespace batches_detail

template <class Batch>
void append_row(Batch& to, const Batch& from, std::size_t from_row) {
    batches_detail::append(to, to.size(), from, from_row);
}

template <class Batch>
void append_rows(Batch& to, const Batch& from) {
    batches_detail::append_all(to, to.size(), from);
}

}  // namespace obs
