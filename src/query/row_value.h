// One cell of a batch as the value that filters, orders and cursors speak of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "model/batches.h"
#include "model/question.h"

namespace obs::query {

namespace row_value_detail {

template <class T>
std::optional<Scalar> scalar_of(const T& value) {
    if constexpr (std::is_same_v<T, std::string_view>) {
        if (value.empty()) return std::nullopt;
        return Scalar(std::string(value));
    } else if constexpr (std::is_floating_point_v<T>) {
        return Scalar(value);
    } else if constexpr (std::is_integral_v<T>) {
        return Scalar(static_cast<std::int64_t>(value));
    } else if constexpr (std::is_same_v<T, UnixNanos>) {
        return Scalar(value.since_epoch);
    } else if constexpr (std::is_same_v<T, Usd>) {
        return Scalar(value.nanos);
    } else if constexpr (std::is_same_v<T, TraceId> || std::is_same_v<T, SpanId>) {
        std::string bytes(sizeof value.bytes, '\0');
        std::memcpy(bytes.data(), value.bytes.data(), bytes.size());
        return Scalar(std::move(bytes));
    } else {
        return Scalar(value.count);  // durations and tokens
    }
}
template <class T>
std::optional<Scalar> scalar_of(const std::optional<T>& value) {
    return value ? scalar_of(*value) : std::nullopt;
}

template <class Column>
std::optional<Scalar> cell(const Column& column, std::size_t row) {
    if constexpr (std::is_same_v<Column, TextList> || std::is_same_v<Column, Map>) {
        return std::nullopt;
    } else {
        return scalar_of(column[row]);
    }
}

}  // namespace row_value_detail

// Nothing when the value is missing. Lists and maps have no such value.
template <class Batch>
std::optional<Scalar> value_of(const Batch& batch, std::size_t row, const ColumnInfo& wanted) {
    std::optional<Scalar> value;
    batch.for_each_column([&](const ColumnInfo& column, const auto& cells) {
        if (&column == &wanted) value = row_value_detail::cell(cells, row);
    });
    return value;
}

// Where a row stands in an order: what a page behind it begins with.
template <class Batch>
RowQuestion::Position position_of(const Batch& batch, std::size_t row, const std::vector<Order>& order) {
    RowQuestion::Position position{
        .values = {}, .ts = batch.ts[row], .trace_id = batch.trace_id[row], .span_id = batch.span_id[row]};
    for (const Order& by : order) position.values.push_back(value_of(batch, row, *by.field.column));
    return position;
}

}  // namespace obs::query
