// Rows as text: CSV, a JSON array, or JSON lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jobs/export_format.h"
#include "model/batches.h"
#include "query/row_json.h"

namespace obs::jobs {

// CSV is that of RFC 4180: lines end in CRLF, the first one has the names; lists, maps and other JSON are
// their JSON text, what is missing is empty. A text that a spreadsheet would take for a formula (its first
// character is = + - @, a tab or a line break) has an apostrophe before it. JSON objects are those of the
// API: what is missing is left out.
class RowText {
public:
    // Not for Parquet.
    RowText(ExportFormat format, query::Selection selection);

    void begin(std::string& out) const;
    // The first `count` rows of the batch.
    void append(const AnyBatch& rows, std::size_t count, std::string& out);
    void end(std::string& out) const;

private:
    template <class Batch>
    void append_json(const Batch& rows, std::size_t count, std::string& out);
    template <class Batch>
    void append_csv(const Batch& rows, std::size_t count, std::string& out) const;

    ExportFormat format_;
    query::Selection selection_;
    bool any_ = false;  // rows were written
};

// One cell, quoted where that is needed. `text`: what it says came from outside and may look like a formula.
void append_csv_cell(std::string_view value, bool text, std::string& out);

}  // namespace obs::jobs
