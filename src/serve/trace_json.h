// The answers of the trace routes as JSON.
#pragma once

#include <functional>
#include <string>

#include "query/traces.h"
#include "serve/row_json.h"

namespace obs::serve {

// Adds evaluations and feedback to the rows they belong to. Both outlive this.
class ScoreWriter {
public:
    ScoreWriter(const ScoreBatch& scores, query::Include include, query::Content content)
        : scores_(scores), include_(include), content_(content) {}
    // The arrays of one span; those of its whole trace too when the row stands for the trace.
    void write_members(JsonWriter& json, const SpanBatch& spans, std::size_t row,
                       bool stands_for_trace) const;

private:
    void write_evaluation(JsonWriter& json, std::size_t score) const;
    void write_feedback(JsonWriter& json, std::size_t score) const;
    template <class Write>
    void write_array(JsonWriter& json, std::string_view name, bool feedback, const SpanBatch& spans,
                     std::size_t row, bool stands_for_trace, Write&& write) const;

    const ScoreBatch& scores_;
    query::Include include_;
    query::Content content_;
};

// Members of a trace, inside of an object that the caller began.
void write_totals(JsonWriter& json, const query::TraceTotals& totals);

// The value of `data`: an array of rows, or one trace.
void write_page(JsonWriter& json, const query::ListPage& page, const query::ListQuestion& question,
                const Selection& selection, query::Content content);
// `stuck`: nothing was heard of it for long, while spans of it run. `more` adds members to the trace.
void write_trace(JsonWriter& json, const query::OneTrace& trace, const Selection& selection,
                 query::Include include, query::Content content, bool stuck,
                 const std::function<void()>& more);

}  // namespace obs::serve
