#include "query/records.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "query/asked.h"
#include "query/condition.h"
#include "query/row_value.h"

namespace obs::query {

namespace {

using Position = RowQuestion::Position;

// Of one text. The same on every page, because rows that are alike are ordered by their texts too.
constexpr std::size_t most_text = 64 << 10;
// As in Traces: in another order than that of the scan a page ends where a scan ended.
constexpr ScanBudget whole_segment{.time = Nanos::seconds(25), .rows = UINT64_MAX};

bool newest_first(const RecordQuestion& question) {
    return question.order.empty() ||
           (question.order.front().field.column == find_column(question.table, "ts") &&
            question.order.front().descending);
}

// The store's own order is newest first.
std::vector<Order> order_for_store(const RecordQuestion& question) {
    if (newest_first(question) && question.order.size() < 2) return {};
    return question.order;
}

template <class Batch>
Position position_in(const Batch& batch, std::size_t row, const std::vector<Order>& order) {
    Position position{.values = {}, .ts = batch.ts[row], .trace_id = {}, .span_id = {}};
    if constexpr (requires { batch.span_id; }) {
        position.trace_id = batch.trace_id[row];
        position.span_id = batch.span_id[row];
    }
    for (const Order& by : order) position.values.push_back(value_of(batch, row, *by.field.column));
    return position;
}
Position position_in(const AnyBatch& rows, std::size_t row, const std::vector<Order>& order) {
    return std::visit([&](const auto& batch) { return position_in(batch, row, order); }, rows);
}

bool alike(const Position& a, const Position& b) {
    return a.values == b.values && a.ts == b.ts && a.trace_id == b.trace_id && a.span_id == b.span_id;
}

template <std::size_t N, class Tag>
Scalar raw(const RawId<N, Tag>& id) {
    std::string bytes(N, '\0');
    std::memcpy(bytes.data(), id.bytes.data(), N);
    return bytes;
}

// Rows that the order does not tell from the position.
void ask_for_alike(RowQuestion& question, const Position& position, const std::vector<Order>& order) {
    Filter same;
    if (!question.filter.always()) same.also(std::move(question.filter));
    const auto equal = [&](const FieldRef& field, std::optional<Scalar> value) {
        if (value)
            same.also(Filter::where({field, Operator::eq, {*std::move(value)}}));
        else
            same.also(Filter::where({field, Operator::missing, {}}));
    };
    for (std::size_t i = 0; i < order.size(); ++i)
        if (order[i].field.column->name != "ts") equal(order[i].field, position.values[i]);
    const auto id = [&](std::string_view name, auto value) {
        const ColumnInfo* column = find_column(question.table, name);
        if (column == nullptr) return;
        equal({column}, value.is_zero() ? std::nullopt : std::optional(raw(value)));
    };
    id("trace_id", position.trace_id);
    id("span_id", position.span_id);
    question.filter = std::move(same);
    question.window = {position.ts, UnixNanos{position.ts.since_epoch + 1}};
}

void append_cell(std::string& out, const TextList& column, std::size_t row) {
    for (const std::string_view item : column[row]) (out += item) += '\0';
}
void append_cell(std::string& out, const Map& column, std::size_t row) {
    for (std::size_t at = column.begin(row); at < column.end(row); ++at) {
        const Map::Entry entry = column.entry(at);
        ((out += entry.key) += '\0') += entry.value;
        out += '\0';
    }
}
template <class Column>
void append_cell(std::string& out, const Column& column, std::size_t row) {
    const auto value = row_value_detail::cell(column, row);
    if (!value) return;
    if (const auto* text = std::get_if<std::string>(&*value))
        out += *text;
    else if (const auto* integer = std::get_if<std::int64_t>(&*value))
        out += std::to_string(*integer);
    else
        out += fmt::format("{}", std::get<double>(*value));
}

template <class Batch>
std::string all_of_row(const Batch& batch, std::size_t row) {
    std::string text;
    batch.for_each_column([&](const ColumnInfo&, const auto& column) {
        append_cell(text, column, row);
        text += '\x1f';
    });
    return text;
}

// The rows in the order of what came first, then of all they hold: the same whoever asks and when.
template <class Batch>
Batch in_their_own_order(const Batch& batch) {
    std::vector<std::pair<std::uint64_t, std::string>> keys;
    for (std::size_t row = 0; row < batch.size(); ++row)
        keys.emplace_back(batch.seq[row], all_of_row(batch, row));
    std::vector<std::size_t> rows(batch.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    std::ranges::sort(rows, {}, [&](std::size_t row) -> const auto& { return keys[row]; });
    Batch sorted;
    for (const std::size_t row : rows) append_row(sorted, batch, row);
    return sorted;
}

// A page as it fills.
class Page {
public:
    Page(SpanStore& store, const RecordQuestion& question, std::uint64_t seq, const Cancel& cancel)
        : store_(store), asked_(question), seq_(seq), cancel_(cancel), order_(order_for_store(question)) {
        page_.rows = empty_batch(question.table);
    }

    Result<RecordPage> filled() {
        const auto& cursor = asked_.cursor;
        if (cursor && cursor->after && cursor->alike) {
            const bool all = OBS_TRY(take_alike(*cursor->after, *cursor->alike));
            if (!all) {
                Cursor next = beginning_of_next();
                next.after = cursor->after;
                next.alike = *cursor->alike + size_of(page_.rows);
                return ended(std::move(next));
            }
        }
        return take_rest();
    }

private:
    std::size_t room() const { return asked_.limit - size_of(page_.rows); }

    RowQuestion question() const {
        RowQuestion rows(asked_.scope);
        rows.table = asked_.table;
        rows.filter = asked_.filter;
        rows.window = narrowed(asked_.window, asked_.filter);
        rows.up_to_seq = seq_;
        rows.content_bytes = most_text;
        return rows;
    }

    Cursor beginning_of_next() const {
        Cursor next{.question = asked_.fingerprint, .seq = seq_, .now = asked_.now};
        if (asked_.cursor) {
            next.to = asked_.cursor->to;
            next.floor = asked_.cursor->floor;
        }
        return next;
    }

    Result<RecordPage> ended(std::optional<Cursor> next) {
        if (next) page_.cursor = to_text(*next, order_);
        return std::move(page_);
    }

    // From the rows like the position, behind the first `shown` ones, as many as fit. True when none is left.
    Result<bool> take_alike(const Position& position, std::uint64_t shown) {
        RowQuestion rows = question();
        ask_for_alike(rows, position, order_);
        rows.limit = Records::most_alike + 1;
        const Rows found = OBS_TRY(asked(store_.rows(rows, cancel_)));
        if (size_of(found.batch) > Records::most_alike)
            return fail(ErrorKind::too_large,
                        "more than {} rows have the same time and cannot be told apart: narrow the question",
                        Records::most_alike);
        return std::visit(
            [&](const auto& batch) {
                auto& page = std::get<std::decay_t<decltype(batch)>>(page_.rows);
                const auto sorted = in_their_own_order(batch);
                std::size_t row = static_cast<std::size_t>(std::min<std::uint64_t>(shown, sorted.size()));
                for (; row < sorted.size() && room() > 0; ++row) append_row(page, sorted, row);
                return row == sorted.size();
            },
            found.batch);
    }

    Result<RecordPage> take_rest() {
        const auto& cursor = asked_.cursor;
        RowQuestion rows = question();
        rows.columns = asked_.columns;
        rows.order = order_;
        rows.limit = room() + 1;
        if (cursor) {
            if (cursor->floor)
                rows.window.from = std::max(rows.window.from.value_or(*cursor->floor), *cursor->floor);
            if (cursor->to) rows.window.to = std::min(rows.window.to.value_or(*cursor->to), *cursor->to);
            rows.after = cursor->after;
        }
        const bool in_segment = cursor && cursor->floor;
        if (in_segment) rows.budget = whole_segment;
        if (rows.window.from && rows.window.to && *rows.window.from >= *rows.window.to) return ended({});
        const Rows found = OBS_TRY(asked(store_.rows(rows, cancel_)));
        if (in_segment && found.scanned_to)
            return fail(ErrorKind::cancelled,
                        "too many rows to sort in time; narrow the question with from and to");
        page_.scanned_to = found.scanned_to;
        if (size_of(found.batch) <= room()) {
            append(found.batch, size_of(found.batch));
            return ended(behind_scan(found));
        }
        return cut(found);
    }

    // There is more than fits.
    Result<RecordPage> cut(const Rows& found) {
        const std::size_t fits = room();
        Cursor next = beginning_of_next();
        if (found.scanned_to && !newest_first(asked_)) next.floor = found.scanned_to;
        if (fits == 0) {
            // Only the rows like the last one fitted.
            next.after = asked_.cursor->after;
            return ended(std::move(next));
        }
        const Position last = position_in(found.batch, fits - 1, order_);
        next.after = last;
        if (!alike(last, position_in(found.batch, fits, order_))) {
            append(found.batch, fits);
            return ended(std::move(next));
        }
        // The cut goes through rows that are alike, and the store gave any of them.
        std::size_t first = fits - 1;
        while (first > 0 && alike(position_in(found.batch, first - 1, order_), last)) --first;
        append(found.batch, first);
        const bool all = OBS_TRY(take_alike(last, 0));
        if (!all) next.alike = fits - first;
        return ended(std::move(next));
    }

    // Where the walk goes on behind a scan that used up its budget, if it did.
    std::optional<Cursor> behind_scan(const Rows& found) const {
        Cursor next = beginning_of_next();
        const auto end = found.scanned_to ? found.scanned_to : next.floor;
        if (!end) return std::nullopt;
        next.to = end;
        next.floor.reset();
        return next;
    }

    void append(const AnyBatch& from, std::size_t rows) {
        std::visit(
            [&](const auto& batch) {
                auto& page = std::get<std::decay_t<decltype(batch)>>(page_.rows);
                for (std::size_t row = 0; row < rows; ++row) append_row(page, batch, row);
            },
            from);
    }

    SpanStore& store_;
    const RecordQuestion& asked_;
    std::uint64_t seq_;
    const Cancel& cancel_;
    std::vector<Order> order_;
    RecordPage page_;
};

template <class Column>
std::size_t text_size(const Column& column, std::size_t row) {
    if constexpr (requires { column[row].size(); }) return column[row].size();
    return 0;
}

bool has_cut_content(const AnyBatch& rows, std::size_t limit) {
    bool cut = false;
    std::visit(
        [&](const auto& batch) {
            batch.for_each_column([&](const ColumnInfo& info, const auto& column) {
                if (!info.has(content)) return;
                for (std::size_t row = 0; row < batch.size(); ++row)
                    cut = cut || text_size(column, row) + 3 >= limit;
            });
        },
        rows);
    return cut;
}

}  // namespace

Result<RecordPage> Records::list(const RecordQuestion& question, const Cancel& cancel) const {
    const std::uint64_t seq = question.cursor ? question.cursor->seq : live_.visible_seq();
    RecordPage page = OBS_TRY(Page(store_, question, seq, cancel).filled());
    page.content_cut = has_cut_content(page.rows, most_text);
    return page;
}

}  // namespace obs::query
