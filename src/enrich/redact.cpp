#include "enrich/redact.h"

namespace obs {

void redact(SpanBatch&) {}
void redact(LogBatch&) {}

}  // namespace obs
