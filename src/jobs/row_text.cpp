#include "jobs/row_text.h"

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/time.h"

namespace obs::jobs {

namespace {

using query::FieldKind;
using query::RowWriter;
using query::Selection;

bool looks_like_a_formula(std::string_view value) {
    return !value.empty() && std::string_view("=+-@\t\r\n").contains(value.front());
}

using Cell = std::function<void(std::size_t row, std::string& out)>;

// Whether the cell is text; other cells are the JSON of their value.
template <class T>
constexpr bool is_plain_text = std::is_same_v<T, std::string_view>;

template <class Column>
Cell text_cell(const Column& column, const Selection::Member& member) {
    const FieldKind kind = member.field->kind;
    return [&column, kind](std::size_t row, std::string& out) {
        using T = std::decay_t<decltype(column[row])>;
        if constexpr (is_plain_text<T>) {
            append_csv_cell(column[row], true, out);
        } else if constexpr (std::is_same_v<T, std::uint8_t>) {
            append_csv_cell(kind == FieldKind::status ? query::status_word(column[row])
                                                      : query::span_kind_word(column[row]),
                            false, out);
        } else if constexpr (std::is_same_v<T, UnixNanos>) {
            append_csv_cell(rfc3339(column[row]), false, out);
        } else if constexpr (std::is_same_v<T, TraceId> || std::is_same_v<T, SpanId>) {
            if (!column[row].is_zero()) append_csv_cell(column[row].hex(), false, out);
        }
    };
}

Cell attribute_cell(const Map& column, std::string key) {
    return [&column, key = std::move(key)](std::size_t row, std::string& out) {
        const auto entry = column.find(row, key);
        if (!entry) return;
        const bool number = entry->type == AttributeType::integer || entry->type == AttributeType::number;
        append_csv_cell(entry->value, !number, out);
    };
}

bool is_text(FieldKind kind) {
    switch (kind) {
        case FieldKind::text:
        case FieldKind::json:
        case FieldKind::status:
        case FieldKind::span_kind:
        case FieldKind::time:
        case FieldKind::trace_id:
        case FieldKind::span_id: return true;
        default: return false;
    }
}

// What the API shows, without the name before it.
template <class Batch>
Cell json_cell(const Batch& rows, const Selection& one) {
    // `{"` and `":` around the name, which needs no escapes: it is one of the schema's.
    const std::size_t before = one.members().front().name.size() + 4;
    return [writer = RowWriter<Batch>(rows, one), before, member = std::string()](std::size_t row,
                                                                                  std::string& out) mutable {
        member.clear();
        JsonWriter json(member);
        json.begin_object();
        writer.write_members(json, row);
        if (member.size() > before) append_csv_cell(std::string_view(member).substr(before), false, out);
    };
}

template <class Batch>
Cell cell_of(const Batch& rows, const Selection& one) {
    const Selection::Member& member = one.members().front();
    Cell cell;
    rows.for_each_column([&](const ColumnInfo& info, const auto& column) {
        if (&info != member.field->column) return;
        using Column = std::decay_t<decltype(column)>;
        if constexpr (std::is_same_v<Column, Map>) {
            if (!member.key.empty()) cell = attribute_cell(column, member.key);
        } else {
            if (is_text(member.field->kind)) cell = text_cell(column, member);
        }
    });
    return cell ? cell : json_cell(rows, one);
}

}  // namespace

void append_csv_cell(std::string_view value, bool text, std::string& out) {
    const bool formula = text && looks_like_a_formula(value);
    if (!formula && value.find_first_of("\",\r\n") == std::string_view::npos) {
        out += value;
        return;
    }
    out += '"';
    if (formula) out += '\'';
    for (const char c : value) {
        if (c == '"') out += '"';
        out += c;
    }
    out += '"';
}

RowText::RowText(ExportFormat format, Selection selection)
    : format_(format), selection_(std::move(selection)) {}

void RowText::begin(std::string& out) const {
    if (format_ == ExportFormat::json) out += '[';
    if (format_ != ExportFormat::csv) return;
    for (std::size_t i = 0; i < selection_.members().size(); ++i) {
        if (i != 0) out += ',';
        append_csv_cell(selection_.members()[i].name, true, out);
    }
    out += "\r\n";
}

void RowText::append(const AnyBatch& rows, std::size_t count, std::string& out) {
    std::visit(
        [&](const auto& batch) {
            if (format_ == ExportFormat::csv)
                append_csv(batch, count, out);
            else
                append_json(batch, count, out);
        },
        rows);
}

void RowText::end(std::string& out) const {
    if (format_ == ExportFormat::json) out += any_ ? "\n]\n" : "]\n";
}

template <class Batch>
void RowText::append_json(const Batch& rows, std::size_t count, std::string& out) {
    const RowWriter<Batch> writer(rows, selection_);
    for (std::size_t row = 0; row < count; ++row) {
        if (format_ == ExportFormat::json) out += any_ ? ",\n" : "\n";
        any_ = true;
        const std::size_t start = out.size();
        JsonWriter json(out);
        json.begin_object();
        writer.write_members(json, row);
        json.end_object();
        // A text that is JSON may hold line breaks between its parts, and nowhere else.
        for (std::size_t at = start; at < out.size(); ++at)
            if (out[at] == '\n' || out[at] == '\r') out[at] = ' ';
        if (format_ == ExportFormat::jsonl) out += '\n';
    }
}

template <class Batch>
void RowText::append_csv(const Batch& rows, std::size_t count, std::string& out) const {
    std::vector<Cell> cells;
    for (const Selection& one : selection_.apart()) cells.push_back(cell_of(rows, one));
    for (std::size_t row = 0; row < count; ++row) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (i != 0) out += ',';
            cells[i](row, out);
        }
        out += "\r\n";
    }
}

}  // namespace obs::jobs
