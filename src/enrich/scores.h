// Scores: evaluations and feedback, wherever they come along.
#pragma once

#include "enrich/found.h"
#include "model/batches.h"
#include "model/raw_batches.h"

namespace obs {

struct ScoreTarget {
    TraceId trace_id;
    SpanId span_id;
    std::string_view session_id;
};

// gen_ai.evaluation.* of an event.
void add_evaluation(ScoreBatch& scores, const RawAttributes& raw, RawRange attributes,
                    const ScoreTarget& target, UnixNanos at);
// Annotations and evaluations that an OpenInference span carries, and gen_ai.evaluation.* on a span itself.
void add_span_scores(ScoreBatch& scores, const Found& found, const ScoreTarget& target, UnixNanos at);

}  // namespace obs
