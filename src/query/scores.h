// What scores are: feedback of people, answers to "was it resolved?", and what evaluators said.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/question.h"
#include "store/span_store.h"

namespace obs::query {

// Whether a trace or session reached its end; counted by the resolution rate.
constexpr bool is_resolution(std::string_view name) {
    return name == "resolved" || name == "resolution";
}
constexpr bool is_feedback(std::string_view name, std::string_view source) {
    return name == "feedback" || (source == "HUMAN" && !is_resolution(name));
}
// The words of evaluators for yes and for no, and what a label says, where it says it.
std::span<const std::string_view> words_for_yes();
std::span<const std::string_view> words_for_no();
std::optional<bool> passed(std::string_view label);

// What a score is about: a trace, a span of it, or a session.
struct ScoreTarget {
    TraceId trace{};
    SpanId span{};  // zero: the whole trace
    std::string session{};
};
// The project of what is to be scored; nothing when no span of it is there.
Result<std::optional<std::string>> project_of(SpanStore& store, const Scope& scope, const ScoreTarget& target,
                                              const Cancel& cancel);
// The score with this id, the newest one if several projects have one. At most one row.
Result<ScoreBatch> score_with_id(SpanStore& store, const Scope& scope, std::string_view id,
                                 const Cancel& cancel);

}  // namespace obs::query
