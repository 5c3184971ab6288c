#include "store/order.h"

#include <cassert>
#include <cmath>
#include <compare>

namespace obs {

namespace {

// Missing comes behind NaN, NaN behind everything else.
int rank(const Value& value) {
    if (is_missing(value)) return 2;
    const auto* number = std::get_if<double>(&value);
    return number != nullptr && std::isnan(*number) ? 1 : 0;
}

// Of two values of one field that are neither missing nor NaN.
std::weak_ordering compare(const Value& a, const Value& b) {
    if (const auto* text = std::get_if<std::string_view>(&a)) return *text <=> std::get<std::string_view>(b);
    if (const auto* number = std::get_if<std::int64_t>(&a)) return *number <=> std::get<std::int64_t>(b);
    const double x = std::get<double>(a), y = std::get<double>(b);
    return x < y   ? std::weak_ordering::less
           : x > y ? std::weak_ordering::greater
                   : std::weak_ordering::equivalent;
}

Value value_of(const std::optional<Scalar>& scalar) {
    if (!scalar) return {};
    if (const auto* text = std::get_if<std::string>(&*scalar)) return std::string_view(*text);
    if (const auto* number = std::get_if<double>(&*scalar)) return *number;
    return std::get<std::int64_t>(*scalar);
}

}  // namespace

RowOrder::RowOrder(const RowQuestion& question) : fields_(question.order) {
    if (fields_.empty()) return;
    descending_ = fields_.front().descending;
    const FieldRef& first = fields_.front().field;
    if (fields_.size() == 1 && first.column != nullptr && first.column->name == "ts") fields_.clear();
}

bool RowOrder::before(const SortKey& a, const SortKey& b) const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        const int rank_a = rank(a.values[i]), rank_b = rank(b.values[i]);
        if (rank_a != rank_b) return rank_a < rank_b;
        if (rank_a != 0) continue;
        const std::weak_ordering way = compare(a.values[i], b.values[i]);
        if (way != 0) return fields_[i].descending ? way > 0 : way < 0;
    }
    const auto way = std::tie(a.ts, a.trace_id, a.span_id) <=> std::tie(b.ts, b.trace_id, b.span_id);
    return descending_ ? way > 0 : way < 0;
}

SortKey RowOrder::key_of(const RowQuestion::Position& position) const {
    SortKey key{{}, position.ts, position.trace_id, position.span_id};
    assert(by_time() || position.values.size() == fields_.size());
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        key.values.push_back(value_of(position.values[i]));
        // A cursor may have read a whole number back as one.
        const bool real =
            fields_[i].field.derived == Derived::tokens_per_second ||
            (fields_[i].field.column != nullptr && fields_[i].field.column->type == ColumnType::f64);
        if (const auto* whole = std::get_if<std::int64_t>(&key.values.back()); whole != nullptr && real)
            key.values.back() = static_cast<double>(*whole);
    }
    return key;
}

RowOrder::Keys::Keys(const RowOrder& order, const AnyBatch& batch)
    : ts_(find_column_of<column::Time>(batch, "ts")),
      trace_id_(find_column_of<column::TraceIds>(batch, "trace_id")),
      span_id_(find_column_of<column::SpanIds>(batch, "span_id")) {
    for (const Order& field : order.fields_) fields_.emplace_back(batch, field.field);
}

SortKey RowOrder::Keys::operator()(std::size_t row) const {
    SortKey key{{}, (*ts_)[row], {}, {}};
    if (trace_id_ != nullptr) key.trace_id = (*trace_id_)[row];
    if (span_id_ != nullptr) key.span_id = (*span_id_)[row];
    key.values.reserve(fields_.size());
    for (const FieldReader& field : fields_) key.values.push_back(field(row));
    return key;
}

}  // namespace obs
