#include "query/scores.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "query/asked.h"

namespace obs::query {

namespace {

template <std::size_t N, class Tag>
Filter equals(std::string_view column, const RawId<N, Tag>& id) {
    std::string bytes(N, '\0');
    std::memcpy(bytes.data(), id.bytes.data(), N);
    return Filter::where({{find_column(TableId::spans, column)}, Operator::eq, {std::move(bytes)}});
}

}  // namespace

std::span<const std::string_view> words_for_yes() {
    static constexpr std::string_view words[] = {"pass",     "passed", "true",    "correct",
                                                 "positive", "yes",    "resolved"};
    return words;
}

std::span<const std::string_view> words_for_no() {
    static constexpr std::string_view words[] = {"fail",     "failed", "false",     "incorrect",
                                                 "negative", "no",     "unresolved"};
    return words;
}

std::optional<bool> passed(std::string_view label) {
    if (std::ranges::find(words_for_yes(), label) != words_for_yes().end()) return true;
    if (std::ranges::find(words_for_no(), label) != words_for_no().end()) return false;
    return std::nullopt;
}

Result<std::optional<std::string>> project_of(SpanStore& store, const Scope& scope, const ScoreTarget& target,
                                              const Cancel& cancel) {
    RowQuestion question(scope);
    if (!target.trace.is_zero()) question.filter.also(equals("trace_id", target.trace));
    if (!target.span.is_zero()) question.filter.also(equals("span_id", target.span));
    if (!target.session.empty())
        question.filter.also(
            Filter::where({{find_column(TableId::spans, "session_id")}, Operator::eq, {target.session}}));
    question.columns = {find_column(TableId::spans, "project_id")};
    question.limit = 1;
    const Rows found = OBS_TRY(asked(store.rows(question, cancel)));
    const SpanBatch& spans = std::get<SpanBatch>(found.batch);
    if (spans.empty()) return std::optional<std::string>();
    return std::optional(std::string(spans.project_id[0]));
}

Result<ScoreBatch> score_with_id(SpanStore& store, const Scope& scope, std::string_view id,
                                 const Cancel& cancel) {
    RowQuestion question(scope);
    question.table = TableId::scores;
    question.filter =
        Filter::where({{find_column(TableId::scores, "score_id")}, Operator::eq, {std::string(id)}});
    question.limit = 1;
    Rows found = OBS_TRY(asked(store.rows(question, cancel)));
    return std::get<ScoreBatch>(std::move(found.batch));
}

}  // namespace obs::query
