#pragma once

#include "model/batches.h"

namespace obs {

// The place of redaction in the order: behind pricing, before anything leaves for a disk. There are no rules
// yet, so everything passes.
void redact(SpanBatch& batch);
void redact(LogBatch& batch);

}  // namespace obs
