// Rows that tests can write and read: `span("chat").at(3s).model("gpt-4o").tokens(120, 30)`. A row knows only
// what was said of it, so that it prints as one line.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/batches.h"
#include "model/question.h"

namespace obs::test {

// Noon of a day; rows are placed around it.
inline constexpr UnixNanos noon{1'767'960'000'000'000'000};  // 2026-01-09T12:00:00Z

struct Attribute {
    std::string key, value;
    AttributeType type = AttributeType::text;
    auto operator<=>(const Attribute&) const = default;
};

// Ids are their raw bytes; numbers, times and money integers in the unit of the column.
using Given =
    std::variant<std::int64_t, double, std::string, std::vector<std::string>, std::vector<Attribute>>;

class TestRow {
public:
    explicit TestRow(TableId table) : table_(table) {}
    TableId table() const { return table_; }

    // Of any column; what reads as the default (zero, empty text) of a column without presence is not kept.
    TestRow& set(std::string_view column, Given value);
    const Given* get(std::string_view column) const;
    UnixNanos ts() const { return {std::get<std::int64_t>(*get("ts"))}; }

    TestRow& at(std::chrono::nanoseconds after_noon) {
        return set("ts", noon.since_epoch + after_noon.count());
    }
    TestRow& took(std::chrono::nanoseconds duration) {
        return set("duration", std::int64_t{duration.count()});
    }
    TestRow& trace(std::string_view name);
    TestRow& id(std::string_view name);
    TestRow& project(std::string_view name) { return set("project_id", std::string(name)); }
    TestRow& model(std::string_view name) { return set("model", std::string(name)); }
    TestRow& provider(std::string_view name) { return set("provider", std::string(name)); }
    TestRow& user(std::string_view name) { return set("user_id", std::string(name)); }
    TestRow& tokens(std::int64_t prompt, std::int64_t completion);
    TestRow& cost(std::int64_t nano_dollars) { return set("total_cost", nano_dollars); }
    TestRow& input(std::string_view text) { return set("input_text", std::string(text)); }
    TestRow& output(std::string_view text) { return set("output_text", std::string(text)); }
    TestRow& terms(std::string_view words) { return set("search_text", std::string(words)); }
    TestRow& tags(std::vector<std::string> values) { return set("tags", std::move(values)); }
    TestRow& attribute(std::string_view key, std::string_view value,
                       AttributeType type = AttributeType::text);
    TestRow& seq(std::uint64_t sequence) { return set("seq", static_cast<std::int64_t>(sequence)); }

    // One line: `span_name="chat" ts=3s model="gpt-4o"`. Long texts are cut and hashed.
    std::string text() const;

private:
    TableId table_;
    std::map<std::string, Given, std::less<>> fields_;
};

// The name decides trace and span id, so equal names are the same span.
TestRow span(std::string_view name);
TestRow log(std::string_view body);
TestRow point(std::string_view metric_name);
TestRow score(std::string_view name);

// Raw bytes of ids made from a name.
std::string trace_bytes(std::string_view name);
std::string span_bytes(std::string_view name);

// All rows must be of one table, of which there is at least one.
AnyBatch batch_of(std::span<const TestRow> rows);
std::vector<TestRow> rows_of(const AnyBatch& batch);
void PrintTo(const TestRow& row, std::ostream* out);

// `model`, `attributes.tier`, `tokens_per_second`, `end`.
FieldRef field(std::string_view name, TableId table = TableId::spans);
Filter where(std::string_view name, Operator op, std::vector<Scalar> values = {},
             TableId table = TableId::spans);
Filter all_of(std::vector<Filter> children);
Filter any_of(std::vector<Filter> children);
Filter none_of(std::vector<Filter> children);

}  // namespace obs::test
