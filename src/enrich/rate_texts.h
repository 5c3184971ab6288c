// How what models and agents were told and said reads: moods, and whether the answer keeps to the question.
#pragma once

#include <cstddef>
#include <optional>

#include "model/batches.h"
#include "text/tokeniser.h"

namespace obs {

// From 0 to 1: the mean of how much of the shorter of question and answer stands in the other, and of how
// many neighbouring sentences of the answer share a word. Nothing when there is too little to compare.
std::optional<double> coherence_of(const SharedTerms& shared);

// Fills input_sentiment, output_sentiment and coherence of a row.
void rate_texts(SpanBatch& spans, std::size_t row, const SharedTerms& shared);

}  // namespace obs
