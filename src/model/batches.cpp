#include "model/batches.h"

namespace obs {

namespace {

template <class T>
std::size_t bytes(const Fixed<T>& column) {
    return column.values_.size() * sizeof(T);
}
template <class T>
std::size_t bytes(const Optional<T>& column) {
    return column.values_.size() * (sizeof(T) + 1);
}
std::size_t bytes(const Text& column) {
    return column.ends_.size() * sizeof(std::uint32_t) + column.bytes_.size();
}
std::size_t bytes(const Dict& column) {
    return bytes(column.codes_) + bytes(column.dictionary_.values());
}
std::size_t bytes(const TextList& column) {
    return column.ends_.size() * sizeof(std::uint32_t) + bytes(column.items_);
}
std::size_t bytes(const Map& column) {
    return column.ends_.size() * sizeof(std::uint32_t) + column.codes_.size() * (sizeof(std::uint32_t) + 1) +
           bytes(column.keys_dictionary_.values()) + bytes(column.values_);
}

template <class Batch>
std::size_t sum_of(const Batch& batch) {
    std::size_t sum = 0;
    batch.for_each_column([&](const ColumnInfo&, const auto& column) { sum += bytes(column); });
    return sum;
}

}  // namespace

std::size_t size_of(const AnyBatch& batch) {
    return std::visit([](const auto& rows) { return rows.size(); }, batch);
}

AnyBatch empty_batch(TableId table) {
    switch (table) {
        case TableId::spans: return SpanBatch();
        case TableId::logs: return LogBatch();
        case TableId::metric_points: return MetricBatch();
        case TableId::scores: return ScoreBatch();
        case TableId::audit: return AuditBatch();
    }
    return {};
}

TableId table_of(const AnyBatch& batch) {
    return std::visit([](const auto& rows) { return rows.table; }, batch);
}

std::size_t bytes_of(const SpanBatch& batch) {
    return sum_of(batch);
}
std::size_t bytes_of(const LogBatch& batch) {
    return sum_of(batch);
}
std::size_t bytes_of(const MetricBatch& batch) {
    return sum_of(batch);
}
std::size_t bytes_of(const ScoreBatch& batch) {
    return sum_of(batch);
}
std::size_t bytes_of(const AuditBatch& batch) {
    return sum_of(batch);
}
std::size_t bytes_of(const AnyBatch& batch) {
    return std::visit([](const auto& rows) { return sum_of(rows); }, batch);
}

}  // namespace obs
