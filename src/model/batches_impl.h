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
#undef OBS_APPEND_COLUMN

}  // namespace batches_detail

template <class Batch>
void append_row(Batch& to, const Batch& from, std::size_t from_row) {
    batches_detail::append(to, to.size(), from, from_row);
}

}  // namespace obs
