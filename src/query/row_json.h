// Rows as JSON objects, written straight from their columns.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "base/result.h"
#include "model/batches.h"
#include "query/fields.h"
#include "query/traces.h"

namespace obs::query {

// Which members an object gets.
class Selection {
public:
    struct Member {
        std::string name;  // as the client asked for it
        const Field* field;
        std::string key{};  // of a map
    };

    // Every field, with `timestamp`, `latency_ms` and `time_to_first_token_ms` beside the names they are
    // aliases of.
    static Selection all(TableId table, Content content);
    // Those of the names that exist and may be shown; ts, trace_id and span_id in any case.
    static Selection named(TableId table, std::span<const std::string> names, Content content);
    // Those of the names that may be shown, in their order, each once, and nothing else; every field under
    // its own name when there are none. `invalid_input` for names that do not exist.
    static Result<Selection> exactly(TableId table, std::span<const std::string> names, Content content);

    const std::vector<Member>& members() const { return members_; }
    TableId table() const { return table_; }
    // Each member by itself.
    std::vector<Selection> apart() const;
    // What a store must be asked for.
    std::vector<const ColumnInfo*> columns() const;

private:
    explicit Selection(TableId table) : table_(table) {}
    void add(std::string_view name);

    TableId table_;
    std::vector<Member> members_;
};

// Writes rows of one batch, which outlives this. Optional fields that are missing are left out.
template <class Batch>
class RowWriter {
public:
    RowWriter(const Batch& batch, const Selection& selection);
    // The members alone, inside of an object that the caller began.
    void write_members(JsonWriter& json, std::size_t row) const {
        for (const auto& member : members_) member(json, row);
    }

private:
    std::vector<std::function<void(JsonWriter&, std::size_t row)>> members_;
};
extern template class RowWriter<SpanBatch>;
extern template class RowWriter<LogBatch>;
extern template class RowWriter<MetricBatch>;
extern template class RowWriter<ScoreBatch>;
extern template class RowWriter<AuditBatch>;

// Attributes with the types they had.
void write_attributes(JsonWriter& json, const Map& attributes, std::size_t row);

// `text` as it is when it is JSON, else as a JSON string.
void write_json_or_text(JsonWriter& json, std::string_view text);

}  // namespace obs::query
