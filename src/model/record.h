// Batches as bytes, for the journal. A record describes itself column by column, so that a newer program
// reads what an older one wrote: columns it no longer has are skipped, columns it has since got read as their
// default. The form is in docs/journal-format.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/batches.h"

namespace obs {

// Appends the batch. Columns flagged `derived` and columns that nobody touched are left out.
void append_record(std::string& out, const AnyBatch& batch);
void append_record(std::string& out, const SpanBatch& batch);

// Reads one batch from the front of `bytes` and moves past it. Everything is checked: `corrupt` when the
// bytes cannot have been written by append_record, or when a column has changed its type since.
Result<AnyBatch> read_record(std::string_view& bytes);

}  // namespace obs
