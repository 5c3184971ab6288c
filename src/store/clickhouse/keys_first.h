// Rows are found by a few columns; only then are all their columns read, and not those of all rows that lie
// beside them. The second question is the first one, of the times that were found: it gives the same rows.
#pragma once

#include <optional>

#include "model/question.h"

namespace obs {

// Asks for the times of the rows alone. Nothing when it is not worth while: few columns are wanted, or too
// many rows may be found.
std::optional<RowQuestion> question_for_keys(const RowQuestion& question);

// What is left to ask when `found` are the rows of question_for_keys, of which there is at least one. Nothing
// when there may be more of them.
std::optional<RowQuestion> question_for_rows(const RowQuestion& question, const AnyBatch& found);

}  // namespace obs
