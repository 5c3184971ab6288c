#pragma once

#include <optional>
#include <string_view>

#include "model/batches.h"

namespace obs {

// The share of spans that a consistent sampler kept, from the tracestate's `ot=th:` (OpenTelemetry tracestate
// handling); nothing when it says nothing.
std::optional<double> kept_share(std::string_view trace_state);

// Puts sample_rate where the producer says that it sampled. All spans pass.
void sample(SpanBatch& batch);

}  // namespace obs
