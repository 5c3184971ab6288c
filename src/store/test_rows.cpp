#include "store/test_rows.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/json_writer.h"

namespace obs::test {

namespace {

std::string quoted(std::string_view text) {
    constexpr std::size_t most = 200;
    std::string shown;
    append_json_string(shown, text.substr(0, most));
    if (text.size() > most) shown += fmt::format("+{} bytes, hash {:x}", text.size() - most, hash64(text));
    return shown;
}

bool is_id(const ColumnInfo& column) {
    return column.type == ColumnType::trace_id || column.type == ColumnType::span_id;
}

struct Printer {
    const ColumnInfo& column;
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const {
        return is_id(column) ? to_hex(std::as_bytes(std::span(text))) : quoted(text);
    }
    std::string operator()(const std::vector<std::string>& list) const {
        std::string shown;
        for (const std::string& text : list) shown += (shown.empty() ? "" : ",") + quoted(text);
        return "[" + shown + "]";
    }
    std::string operator()(std::vector<Attribute> attributes) const {
        std::sort(attributes.begin(), attributes.end());
        std::string shown;
        for (const Attribute& attribute : attributes)
            shown += fmt::format("{}{}:{}={}", shown.empty() ? "" : ",", quoted(attribute.key),
                                 static_cast<int>(attribute.type), quoted(attribute.value));
        return "{" + shown + "}";
    }
};

bool is_default(const ColumnInfo& column, const Given& value) {
    if (column.optional) return false;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number == 0 && column.name != "ts";
    if (const auto* text = std::get_if<std::string>(&value))
        return std::all_of(text->begin(), text->end(), [](char c) { return c == '\0'; }) &&
               (is_id(column) || text->empty());
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return list->empty();
    if (const auto* map = std::get_if<std::vector<Attribute>>(&value)) return map->empty();
    return false;
}

// A number of a batch as the integer or double it stands for, and back.
template <class T>
Given to_given(const T& value) {
    if constexpr (std::is_same_v<T, double>)
        return value;
    else if constexpr (std::is_integral_v<T>)
        return static_cast<std::int64_t>(value);
    else if constexpr (requires { value.bytes; })
        return std::string(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    else
        return std::bit_cast<std::int64_t>(value);
}

template <class T>
T from_given(const Given& value) {
    if constexpr (std::is_same_v<T, double>) {
        return std::get<double>(value);
    } else if constexpr (std::is_integral_v<T>) {
        return static_cast<T>(std::get<std::int64_t>(value));
    } else if constexpr (requires { T{}.bytes; }) {
        const std::optional<T> id = T::from_bytes(std::get<std::string>(value));
        assert(id.has_value());
        return *id;
    } else {
        return std::bit_cast<T>(std::get<std::int64_t>(value));
    }
}

template <class T>
void put(Fixed<T>& column, std::size_t row, const Given& value) {
    column.put(row, from_given<T>(value));
}
template <class T>
void put(Optional<T>& column, std::size_t row, const Given& value) {
    column.put(row, from_given<T>(value));
}
void put(Text& column, std::size_t row, const Given& value) {
    column.put(row, std::get<std::string>(value));
}
void put(Dict& column, std::size_t row, const Given& value) {
    column.put(row, std::get<std::string>(value));
}
void put(TextList& column, std::size_t row, const Given& value) {
    const auto& list = std::get<std::vector<std::string>>(value);
    column.put(row, {list.begin(), list.end()});
}
void put(Map& column, std::size_t row, const Given& value) {
    for (const Attribute& attribute : std::get<std::vector<Attribute>>(value))
        column.put(row, attribute.key, attribute.value, attribute.type);
}

template <class T>
void take(TestRow& to, std::string_view name, const Fixed<T>& column, std::size_t row) {
    to.set(name, to_given(column[row]));
}
template <class T>
void take(TestRow& to, std::string_view name, const Optional<T>& column, std::size_t row) {
    if (const auto value = column[row]) to.set(name, to_given(*value));
}
void take(TestRow& to, std::string_view name, const Text& column, std::size_t row) {
    to.set(name, std::string(column[row]));
}
void take(TestRow& to, std::string_view name, const Dict& column, std::size_t row) {
    to.set(name, std::string(column[row]));
}
void take(TestRow& to, std::string_view name, const TextList& column, std::size_t row) {
    const auto list = column[row];
    to.set(name, std::vector<std::string>(list.begin(), list.end()));
}
void take(TestRow& to, std::string_view name, const Map& column, std::size_t row) {
    std::vector<Attribute> attributes;
    for (const Map::Entry& entry : column[row])
        attributes.push_back({std::string(entry.key), std::string(entry.value), entry.type});
    to.set(name, std::move(attributes));
}

template <class Batch>
Batch batch_of_table(std::span<const TestRow> rows) {
    Batch batch;
    batch.for_each_column([&](const ColumnInfo& info, auto& column) {
        for (std::size_t row = 0; row < rows.size(); ++row)
            if (const Given* value = rows[row].get(info.name)) put(column, row, *value);
    });
    assert(batch.size() == rows.size());
    return batch;
}

Filter tree(Filter::Kind kind, std::vector<Filter> children) {
    Filter filter;
    filter.kind = kind;
    filter.children = std::move(children);
    return filter;
}

}  // namespace

TestRow& TestRow::set(std::string_view column, Given value) {
    const ColumnInfo* info = find_column(table_, column);
    assert(info != nullptr);
    if (is_default(*info, value))
        fields_.erase(std::string(column));
    else
        fields_.insert_or_assign(std::string(column), std::move(value));
    return *this;
}

const Given* TestRow::get(std::string_view column) const {
    const auto found = fields_.find(column);
    return found == fields_.end() ? nullptr : &found->second;
}

TestRow& TestRow::trace(std::string_view name) {
    return set("trace_id", trace_bytes(name));
}

TestRow& TestRow::id(std::string_view name) {
    return set("span_id", span_bytes(name));
}

TestRow& TestRow::tokens(std::int64_t prompt, std::int64_t completion) {
    return set("prompt_tokens", prompt)
        .set("completion_tokens", completion)
        .set("total_tokens", prompt + completion);
}

TestRow& TestRow::attribute(std::string_view key, std::string_view value, AttributeType type) {
    std::vector<Attribute> attributes;
    if (const Given* before = get("attributes")) attributes = std::get<std::vector<Attribute>>(*before);
    attributes.push_back({std::string(key), std::string(value), type});
    return set("attributes", std::move(attributes));
}

std::string TestRow::text() const {
    std::string line;
    for (const ColumnInfo& column : columns_of(table_))
        if (const Given* value = get(column.name))
            line += fmt::format("{}{}={}", line.empty() ? "" : " ", column.name,
                                std::visit(Printer{column}, *value));
    return line;
}

TestRow span(std::string_view name) {
    TestRow row(TableId::spans);
    row.set("span_name", std::string(name));
    return row.at({}).trace(name).id(name);
}

TestRow log(std::string_view body) {
    TestRow row(TableId::logs);
    return row.set("body", std::string(body)).at({});
}

TestRow point(std::string_view metric_name) {
    TestRow row(TableId::metric_points);
    return row.set("metric_name", std::string(metric_name)).at({});
}

TestRow score(std::string_view name) {
    TestRow row(TableId::scores);
    return row.set("name", std::string(name)).at({});
}

std::string trace_bytes(std::string_view name) {
    const Fingerprint bits = fingerprint("trace", name);
    std::string bytes(16, '\0');
    std::memcpy(bytes.data(), &bits, bytes.size());
    return bytes;
}

std::string span_bytes(std::string_view name) {
    const std::uint64_t bits = hash64(name);
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &bits, bytes.size());
    return bytes;
}

AnyBatch batch_of(std::span<const TestRow> rows) {
    assert(!rows.empty());
    switch (rows.front().table()) {
        case TableId::spans: return batch_of_table<SpanBatch>(rows);
        case TableId::logs: return batch_of_table<LogBatch>(rows);
        case TableId::metric_points: return batch_of_table<MetricBatch>(rows);
        case TableId::scores: return batch_of_table<ScoreBatch>(rows);
        case TableId::audit: return batch_of_table<AuditBatch>(rows);
    }
    return {};
}

std::vector<TestRow> rows_of(const AnyBatch& batch) {
    std::vector<TestRow> rows(size_of(batch), TestRow(table_of(batch)));
    std::visit(
        [&](const auto& columns) {
            columns.for_each_column([&](const ColumnInfo& info, const auto& column) {
                for (std::size_t row = 0; row < rows.size(); ++row) take(rows[row], info.name, column, row);
            });
        },
        batch);
    return rows;
}

void PrintTo(const TestRow& row, std::ostream* out) {
    *out << row.text();
}

FieldRef field(std::string_view name, TableId table) {
    FieldRef made;
    if (name == "tokens_per_second") {
        made.derived = Derived::tokens_per_second;
    } else if (name == "end") {
        made.derived = Derived::end;
    } else {
        const std::size_t dot = name.find('.');
        made.column = find_column(table, name.substr(0, dot));
        assert(made.column != nullptr);
        if (dot != std::string_view::npos) made.key = name.substr(dot + 1);
    }
    return made;
}

Filter where(std::string_view name, Operator op, std::vector<Scalar> values, TableId table) {
    return Filter::where({field(name, table), op, std::move(values)});
}

Filter all_of(std::vector<Filter> children) {
    return tree(Filter::Kind::all, std::move(children));
}
Filter any_of(std::vector<Filter> children) {
    return tree(Filter::Kind::any, std::move(children));
}
Filter none_of(std::vector<Filter> children) {
    return tree(Filter::Kind::none, std::move(children));
}

}  // namespace obs::test
