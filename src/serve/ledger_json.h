// Ledgers as JSON.
#pragma once

#include <cstddef>

#include "base/json_writer.h"
#include "query/ledger.h"

namespace obs::serve {

// The value of `data`: of one span of it, or of the trace with its dearest spans, at most `most`.
void write_span_ledger(JsonWriter& json, const query::Ledger& ledger, const query::SpanLedger& span);
void write_trace_ledger(JsonWriter& json, const query::Ledger& ledger, std::size_t most);

}  // namespace obs::serve
