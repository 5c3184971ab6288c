#include "store/field.h"

#include <cassert>
#include <limits>
#include <type_traits>

namespace obs {

namespace {

std::int64_t integer(UnixNanos at) {
    return at.since_epoch;
}
std::int64_t integer(Nanos distance) {
    return distance.count;
}
std::int64_t integer(Tokens tokens) {
    return tokens.count;
}
std::int64_t integer(Usd amount) {
    return amount.nanos;
}
template <class T>
    requires std::is_integral_v<T>
std::int64_t integer(T value) {
    return static_cast<std::int64_t>(value);
}

template <class T>
Value value_of(const T& value) {
    if constexpr (std::is_same_v<T, double>)
        return value;
    else
        return integer(value);
}

Value text_value(std::string_view text) {
    return text.empty() ? Value() : Value(text);
}

Value read(const Text& column, std::size_t row) {
    return text_value(column[row]);
}
Value read(const Dict& column, std::size_t row) {
    return text_value(column[row]);
}
template <class T>
Value read(const Fixed<T>& column, std::size_t row) {
    if constexpr (std::is_same_v<T, TraceId> || std::is_same_v<T, SpanId>) {
        if (column[row].is_zero()) return {};
        const auto& bytes = column.values_[row].bytes;  // not zero, so it is stored
        return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
        return value_of(column[row]);
    }
}
template <class T>
Value read(const Optional<T>& column, std::size_t row) {
    const std::optional<T> value = column[row];
    return value ? value_of(*value) : Value();
}

Value tokens_per_second(std::optional<Tokens> tokens, Nanos duration) {
    if (!tokens || duration.count <= 0) return {};
    return static_cast<double>(tokens->count) * 1e9 / static_cast<double>(duration.count);
}

Value end_of(UnixNanos start, Nanos duration) {
    std::int64_t end;
    if (__builtin_add_overflow(start.since_epoch, duration.count, &end))
        end = duration.count < 0 ? std::numeric_limits<std::int64_t>::min()
                                 : std::numeric_limits<std::int64_t>::max();
    return end;
}

std::string_view first_ingredient(Derived derived) {
    return derived == Derived::tokens_per_second ? "completion_tokens" : "ts";
}

}  // namespace

Cell cell_of(const Value& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<double>(&value)) return *number;
    return {};
}

ColumnView column_of(const AnyBatch& batch, const ColumnInfo& column) {
    ColumnView found;
    std::visit(
        [&](const auto& rows) {
            rows.for_each_column([&](const ColumnInfo& info, const auto& candidate) {
                if (&info == &column) found = &candidate;
            });
        },
        batch);
    assert(&column >= columns_of(table_of(batch)).data() &&
           &column < columns_of(table_of(batch)).data() + columns_of(table_of(batch)).size());
    return found;
}

FieldKind kind_of(const FieldRef& field) {
    if (field.column == nullptr) return FieldKind::number;
    switch (field.column->type) {
        case ColumnType::text:
        case ColumnType::dict: return FieldKind::text;
        case ColumnType::text_list: return FieldKind::text_list;
        case ColumnType::map: return field.key.empty() ? FieldKind::map : FieldKind::map_key;
        case ColumnType::trace_id:
        case ColumnType::span_id: return FieldKind::id;
        default: return FieldKind::number;
    }
}

std::string field_name(const FieldRef& field) {
    switch (field.derived) {
        case Derived::tokens_per_second: return "tokens_per_second";
        case Derived::end: return "end";
        case Derived::none: break;
    }
    std::string name(field.column->name);
    return field.key.empty() ? name : name + "." + field.key;
}

FieldReader::FieldReader(const AnyBatch& batch, const FieldRef& field)
    : key_(field.key), derived_(field.derived) {
    if (derived_ == Derived::none) {
        column_ = column_of(batch, *field.column);
        return;
    }
    column_ = column_of(batch, *find_column(table_of(batch), first_ingredient(derived_)));
    duration_ = find_column_of<column::Duration>(batch, "duration");
}

Value FieldReader::operator()(std::size_t row) const {
    if (derived_ == Derived::tokens_per_second)
        return tokens_per_second((*std::get<const column::OptTokens*>(column_))[row], (*duration_)[row]);
    if (derived_ == Derived::end)
        return end_of((*std::get<const column::Time*>(column_))[row], (*duration_)[row]);
    return std::visit(
        [&](const auto* column) -> Value {
            using Column = std::remove_cvref_t<decltype(*column)>;
            if constexpr (std::is_same_v<Column, Map>) {
                const auto entry = column->find(row, key_);
                return entry ? text_value(entry->value) : Value();
            } else if constexpr (std::is_same_v<Column, TextList>) {
                assert(false && "a list has no single value");
                return {};
            } else {
                return read(*column, row);
            }
        },
        column_);
}

}  // namespace obs
