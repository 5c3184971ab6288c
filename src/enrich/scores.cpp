#include "enrich/scores.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "enrich/flattened.h"
#include "enrich/resources.h"
#include "enrich/values.h"

namespace obs {

namespace {

struct Score {
    std::string_view name, label, comment, source, id;
    std::optional<double> value;
};

// The identifier of an annotation tells apart those of one name on one thing: many things can share it.
std::string id_of(const Score& score, const ScoreTarget& target) {
    const Fingerprint hash =
        fingerprint("annotation", fmt::format("{}\n{}\n{}\n{}\n{}", target.trace_id.hex(),
                                              target.span_id.hex(), target.session_id, score.name, score.id));
    return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

void add(ScoreBatch& scores, const Score& score, const ScoreTarget& target, UnixNanos at) {
    if (score.name.empty() || !(score.value || !score.label.empty() || !score.comment.empty())) return;
    const std::size_t row = scores.size();
    scores.ts.put(row, at);
    if (!score.id.empty()) scores.score_id.put(row, id_of(score, target));
    scores.trace_id.put(row, target.trace_id);
    scores.span_id.put(row, target.span_id);
    if (!target.session_id.empty()) scores.session_id.put(row, target.session_id);
    scores.name.put(row, score.name);
    scores.value.put(row, score.value);
    scores.label.put(row, score.label);
    if (!score.comment.empty()) scores.comment.put(row, score.comment);
    scores.source.put(row, score.source);
}

std::optional<double> number_or_nothing(const RawValue* value) {
    return value == nullptr ? std::nullopt : number_of(*value);
}

std::string_view text_or_nothing(const RawValue* value) {
    return value == nullptr ? std::string_view() : value->text();
}

}  // namespace

void add_evaluation(ScoreBatch& scores, const RawAttributes& raw, RawRange attributes,
                    const ScoreTarget& target, UnixNanos at) {
    add(scores,
        {find_text(raw, attributes, "gen_ai.evaluation.name"),
         find_text(raw, attributes, "gen_ai.evaluation.score.label"),
         find_text(raw, attributes, "gen_ai.evaluation.explanation"),
         {},
         {},
         number_or_nothing(find_attribute(raw, attributes, "gen_ai.evaluation.score.value"))},
        target, at);
}

void add_span_scores(ScoreBatch& scores, const Found& found, const ScoreTarget& target, UnixNanos at) {
    if (found.has_slot(Field::evaluation_name))
        add(scores,
            {text_or_nothing(found.slot(Field::evaluation_name)),
             text_or_nothing(found.slot(Field::evaluation_label)),
             text_or_nothing(found.slot(Field::evaluation_comment)),
             {},
             {},
             number_or_nothing(found.slot(Field::evaluation_value))},
            target, at);
    for (const FlatList list : {FlatList::span_scores, FlatList::trace_scores, FlatList::session_scores}) {
        if (!found.has_list(list)) continue;
        ScoreTarget scored = target;
        if (list != FlatList::span_scores) scored.span_id = {};
        if (list == FlatList::session_scores) {
            scored.trace_id = {};
        } else {
            scored.session_id = {};
        }
        for (const FlatScore& score : read_flat_scores(items_of(found, list)))
            add(scores, {score.name, score.label, score.comment, score.source, score.id, score.value}, scored,
                at);
    }
}

}  // namespace obs
