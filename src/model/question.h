// A question to a store, as data: what to look at, for whom, in which window. The words of HTTP are turned
// into it once (query/), and it is turned into a dialect or evaluated once per store.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/batches.h"
#include "model/schema.h"

namespace obs {

// Whose rows may be seen. There is no way to make a question without one, and no scope without an
// organisation.
class Scope {
public:
    // `projects` empty: every project of the organisation (administrators).
    Scope(std::string org, std::vector<std::string> projects)
        : org_(std::move(org)), projects_(std::move(projects)) {
        assert(!org_.empty());
    }
    const std::string& org() const { return org_; }
    const std::vector<std::string>& projects() const { return projects_; }

private:
    std::string org_;
    std::vector<std::string> projects_;
};

// Values computed from columns of a row.
enum class Derived : std::uint8_t {
    none,
    tokens_per_second,  // completion_tokens / seconds of duration; missing without tokens or for a duration
                        // <= 0
    end,                // ts + duration, a time
};

// What a condition, an order or a group speaks of: a column, one key of a map column, or a derived value.
struct FieldRef {
    const ColumnInfo* column = nullptr;  // of the question's table; null for a derived value
    std::string key{};                   // for map columns: the attribute
    Derived derived = Derived::none;
};

enum class Operator : std::uint8_t {
    eq,
    ne,  // ne also matches rows where the field is missing
    lt,
    lte,
    gt,
    gte,  // missing never matches
    in,
    not_in,  // not_in also matches missing
    contains,
    not_contains,  // substring, ASCII and Unicode case ignored; on text lists: membership, exact
                   // not_contains also matches missing
    starts_with,
    ends_with,  // case ignored
    regex,      // RE2, case ignored, anywhere in the text (decision 20)
    search,     // `values` are the terms of text/tokeniser.h; all of them in the row's search_text
    missing,
    present,  // no values. Text is missing when empty, ids when zero, lists and maps when empty
};

// A value in the unit of the column: nanoseconds, nano-dollars, tokens, raw bytes of an id; booleans are 0
// and 1. For map keys: text compares as text, numbers compare as numbers with values that are numbers
// (decision 18).
using Scalar = std::variant<std::string, std::int64_t, double>;

struct Condition {
    FieldRef field;
    Operator op = Operator::eq;
    std::vector<Scalar> values{};  // one for most operators, one or more for in, not_in, search
};

// A tree. `all` of nothing is true, `any` of nothing is false, `none` is true when none of its children is.
// Three-valued logic is not ours: a condition on a missing value is false unless its operator says otherwise,
// and `none` turns it round.
struct Filter {
    enum class Kind : std::uint8_t { all, any, none, condition };
    Kind kind = Kind::all;
    std::vector<Filter> children{};
    Condition condition{};

    static Filter where(Condition condition) { return {Kind::condition, {}, std::move(condition)}; }
    bool always() const { return kind == Kind::all && children.empty(); }
    Filter& also(Filter more) {  // only on `all`
        assert(kind == Kind::all);
        children.push_back(std::move(more));
        return *this;
    }
};

// On the row's ts; `from` inclusive, `to` exclusive.
struct Window {
    std::optional<UnixNanos> from{}, to{};
};

struct Order {
    FieldRef field;
    bool descending = true;
};

// How far a question may look before it answers with what it has (decision 24).
struct ScanBudget {
    Nanos time = Nanos::seconds(2);
    std::uint64_t rows = 50'000'000;
};

// Which rows. Their order is total: `order`, then ts, trace_id, span_id, all in the direction of the first
// order (ts descending when there is none). A later field of `order` goes its own way; only ts and the ids
// follow the first. Missing values come last in both directions, NaN just before them.
struct RowQuestion {
    explicit RowQuestion(Scope whose) : scope(std::move(whose)) {}

    TableId table = TableId::spans;
    Scope scope;
    Window window{};
    Filter filter{};
    std::vector<const ColumnInfo*> columns{};  // wanted; all when empty. ts and ids always come along
    std::vector<Order> order{};
    // Only rows behind this one, in the order of the question.
    struct Position {
        std::vector<std::optional<Scalar>> values;  // of `order`; nothing = missing
        UnixNanos ts;
        TraceId trace_id;
        SpanId span_id;
    };
    std::optional<Position> after{};
    std::optional<std::uint64_t> up_to_seq{};  // rows ingested later are not there (decision 25)
    std::size_t limit = 50;
    // Of text columns with content at most so many bytes, cut at a character; all when nothing is said.
    std::optional<std::size_t> content_bytes{};
    ScanBudget budget{};
};

struct Rows {
    AnyBatch batch;
    // Set when the budget was used up: everything from here to the end of the window was looked at.
    // (Oldest first it is the other way round: everything from the start of the window up to here.)
    std::optional<UnixNanos> scanned_to{};
};

struct Aggregate {
    enum class Function : std::uint8_t { count, sum, min, max, avg, quantile, distinct, values };
    Function function = Function::count;
    FieldRef field{};    // not for count
    double level = 0.5;  // of quantile
    Filter only{};       // rows that count
    std::string name;    // of the column in the answer
};

// Figures over groups of rows. Durations below zero never enter an aggregate (decision 17).
struct GroupQuestion {
    explicit GroupQuestion(Scope whose) : scope(std::move(whose)) {}

    TableId table = TableId::spans;
    Scope scope;
    Window window{};
    Filter filter{};
    std::optional<Nanos> interval{};  // groups by time too: column `bucket`, its start in UTC
    std::vector<FieldRef> group_by{};
    std::vector<Aggregate> aggregates{};
    std::optional<std::uint64_t> up_to_seq{};
    // By an aggregate's name or, when empty, by the groups ascending.
    std::string order_by{};
    bool descending = true;
    std::size_t limit = 10'000;
    ScanBudget budget{};
};

// A cell in the unit of its column. Ids are raw bytes, times and money integers, lists sorted.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string, std::vector<std::string>>;

// First `bucket` when asked for, then the groups in their order, then the aggregates.
struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<Cell>> rows;
};

}  // namespace obs
