#include "query/row_json.h"

#include <algorithm>
#include <cmath>

#include <simdjson.h>

namespace obs::query {

namespace {

// Emitted beside the name they are aliases of; the other aliases only when they are asked for (contract 1.5).
constexpr std::string_view both_spellings[] = {"timestamp", "latency_ms", "time_to_first_token_ms"};
constexpr std::string_view always_there[] = {"ts", "timestamp", "trace_id", "span_id"};
// Not optional in the contract: empty rather than left out.
constexpr std::string_view required[] = {"span_name", "service_name", "provider", "model", "kind"};

bool among(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

bool is_json(std::string_view text) {
    thread_local simdjson::dom::parser parser;
    return !text.empty() && parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
}

// Rounded half up, so that a filter for the shown value can be answered (query/condition.cpp).
std::int64_t whole_milliseconds(Nanos duration) {
    const std::int64_t shifted = duration.count + 500'000;
    return shifted >= 0 ? shifted / 1'000'000 : -((-shifted + 999'999) / 1'000'000);
}

void write_attribute(JsonWriter& json, const Map::Entry& entry) {
    switch (entry.type) {
        case AttributeType::text:
        case AttributeType::bytes: json.value(entry.value); return;
        case AttributeType::empty: json.null(); return;
        case AttributeType::integer:
        case AttributeType::number:
        case AttributeType::boolean:
        case AttributeType::json: write_json_or_text(json, entry.value); return;
    }
}

// How the cells of a column are written. `name` is written by each, because a missing value has none.
struct CellWriter {
    std::string name;
    const Field* field;
    std::string key;

    void operator()(JsonWriter& json, std::string_view text) const {
        if (text.empty() && !among(required, field->column->name)) return;
        json.key(name);
        if (field->kind == FieldKind::json)
            write_json_or_text(json, text);
        else
            json.value(text);
    }
    void operator()(JsonWriter& json, const std::vector<std::string_view>& list) const {
        json.key(name).begin_array();
        for (const std::string_view item : list) json.value(item);
        json.end_array();
    }
    void operator()(JsonWriter& json, std::uint8_t code) const {
        json.key(name);
        if (field->kind == FieldKind::status)
            json.value(status_word(code));
        else if (field->kind == FieldKind::span_kind)
            json.value(span_kind_word(code));
        else if (field->kind == FieldKind::flag)
            json.value(code != 0);
        else
            json.value(std::uint64_t{code});
    }
    void operator()(JsonWriter& json, std::uint16_t number) const { json.field(name, std::uint64_t{number}); }
    void operator()(JsonWriter& json, std::uint32_t number) const {
        if (field->kind != FieldKind::repairs) {
            json.field(name, std::uint64_t{number});
            return;
        }
        if (number == 0) return;
        json.key(name).begin_array();
        for (const std::string_view word : repair_words(number)) json.value(word);
        json.end_array();
    }
    void operator()(JsonWriter& json, std::uint64_t number) const { json.field(name, number); }
    void operator()(JsonWriter& json, std::int64_t number) const { json.field(name, number); }
    void operator()(JsonWriter& json, double number) const { json.field(name, number); }
    void operator()(JsonWriter& json, UnixNanos at) const { json.field(name, rfc3339(at)); }
    void operator()(JsonWriter& json, Nanos duration) const {
        json.key(name);
        if (field->kind == FieldKind::whole_milliseconds)
            json.value(whole_milliseconds(duration));
        else
            json.value(static_cast<double>(duration.count) / 1e6);
    }
    void operator()(JsonWriter& json, Tokens tokens) const { json.field(name, tokens.count); }
    void operator()(JsonWriter& json, Usd amount) const { json.field(name, amount); }
    template <std::size_t N, class Tag>
    void operator()(JsonWriter& json, const RawId<N, Tag>& id) const {
        if (!id.is_zero()) json.field(name, id.hex());
    }
    template <class T>
    void operator()(JsonWriter& json, const std::optional<T>& value) const {
        if (value) (*this)(json, *value);
    }
    void operator()(JsonWriter& json, const Map& map, std::size_t row) const {
        if (key.empty()) {
            json.key(name);
            write_attributes(json, map, row);
        } else if (const auto entry = map.find(row, key)) {
            json.key(name);
            write_attribute(json, *entry);
        }
    }
};

using Written = std::function<void(JsonWriter&, std::size_t row)>;

template <class Column>
Written written(const Column& column, CellWriter write) {
    if constexpr (std::is_same_v<Column, Map>) {
        return [&column, write](JsonWriter& json, std::size_t row) { write(json, column, row); };
    } else {
        return [&column, write](JsonWriter& json, std::size_t row) { write(json, column[row]); };
    }
}

void write_tokens_per_second(JsonWriter& json, const SpanBatch& spans, std::size_t row,
                             std::string_view name) {
    const auto tokens = spans.completion_tokens[row];
    const Nanos duration = spans.duration[row];
    if (!tokens || duration.count <= 0) return;
    json.field(name, static_cast<double>(tokens->count) * 1e9 / static_cast<double>(duration.count));
}

// Fields that are made of several columns.
Written computed(const SpanBatch& spans, const Selection::Member& member) {
    if (member.field->derived == Derived::tokens_per_second)
        return [&spans, name = member.name](JsonWriter& json, std::size_t row) {
            write_tokens_per_second(json, spans, row, name);
        };
    return [&spans, name = member.name](JsonWriter& json, std::size_t row) {
        const auto temperature = spans.temperature[row], top_p = spans.top_p[row], top_k = spans.top_k[row];
        const auto max_tokens = spans.max_tokens[row], seed = spans.seed[row];
        if (!temperature && !top_p && !top_k && !max_tokens && !seed) return;
        json.key(name).begin_object();
        if (temperature) json.field("temperature", *temperature);
        if (top_p) json.field("top_p", *top_p);
        if (top_k) json.field("top_k", *top_k);
        if (max_tokens) json.field("max_tokens", *max_tokens);
        if (seed) json.field("seed", *seed);
        json.end_object();
    };
}
template <class Batch>
Written computed(const Batch&, const Selection::Member&) {
    return [](JsonWriter&, std::size_t) {};
}

std::vector<std::string_view> columns_behind(const Field& field) {
    if (field.column != nullptr) return {field.column->name};
    if (field.derived == Derived::tokens_per_second) return {"completion_tokens", "duration"};
    return {parameter_columns().begin(), parameter_columns().end()};
}

}  // namespace

void write_json_or_text(JsonWriter& json, std::string_view text) {
    if (is_json(text))
        json.raw(text);
    else
        json.value(text);
}

void write_attributes(JsonWriter& json, const Map& attributes, std::size_t row) {
    json.begin_object();
    for (std::size_t at = attributes.begin(row); at < attributes.end(row); ++at) {
        const Map::Entry entry = attributes.entry(at);
        json.key(entry.key);
        write_attribute(json, entry);
    }
    json.end_object();
}

Selection Selection::all(TableId table, Content shown) {
    Selection selection(table);
    for (const Field& field : fields_of(table)) {
        if (shown == Content::hidden && field.is_content()) continue;
        selection.members_.push_back({field.name, &field});
        for (const std::string_view alias : field.aliases)
            if (among(both_spellings, alias)) selection.members_.push_back({std::string(alias), &field});
    }
    return selection;
}

Selection Selection::named(TableId table, std::span<const std::string> names, Content shown) {
    Selection selection(table);
    for (const std::string_view name : always_there) selection.add(name);
    for (const std::string& name : names) {
        const auto field = find_field(table, name);
        if (field && (shown == Content::shown || !field->field->is_content())) selection.add(name);
    }
    return selection;
}

Result<Selection> Selection::exactly(TableId table, std::span<const std::string> names, Content shown) {
    Selection selection(table);
    const auto may_be_shown = [&](const Field& field) {
        return shown == Content::shown || !field.is_content();
    };
    if (names.empty())
        for (const Field& field : fields_of(table))
            if (may_be_shown(field)) selection.members_.push_back({field.name, &field});
    for (const std::string& name : names) {
        const auto field = find_field(table, name);
        if (!field)
            return fail(ErrorKind::invalid_input, "there is no field \"{}\"",
                        std::string_view(name).substr(0, 100));
        if (may_be_shown(*field->field)) selection.add(name);
    }
    return selection;
}

std::vector<Selection> Selection::apart() const {
    std::vector<Selection> each;
    for (const Member& member : members_) {
        each.push_back(Selection(table_));
        each.back().members_.push_back(member);
    }
    return each;
}

void Selection::add(std::string_view name) {
    const bool known =
        std::ranges::any_of(members_, [&](const Member& member) { return member.name == name; });
    auto field = find_field(table_, name);
    if (!known && field) members_.push_back({std::string(name), field->field, std::move(field->key)});
}

std::vector<const ColumnInfo*> Selection::columns() const {
    std::vector<const ColumnInfo*> columns;
    for (const Member& member : members_)
        for (const std::string_view name : columns_behind(*member.field)) {
            const ColumnInfo* column = find_column(table_, name);
            if (std::ranges::find(columns, column) == columns.end()) columns.push_back(column);
        }
    return columns;
}

template <class Batch>
RowWriter<Batch>::RowWriter(const Batch& batch, const Selection& selection) {
    for (const Selection::Member& member : selection.members()) {
        if (member.field->column == nullptr) {
            members_.push_back(computed(batch, member));
            continue;
        }
        batch.for_each_column([&](const ColumnInfo& info, const auto& column) {
            if (&info == member.field->column)
                members_.push_back(written(column, CellWriter{member.name, member.field, member.key}));
        });
    }
}

template class RowWriter<SpanBatch>;
template class RowWriter<LogBatch>;
template class RowWriter<MetricBatch>;
template class RowWriter<ScoreBatch>;
template class RowWriter<AuditBatch>;

}  // namespace obs::query
