// Questions as SQL, once for every dialect. Figures and rows are what store/evaluate.h, store/order.h and
// store/aggregate.h say.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/question.h"
#include "store/sql/dialect.h"
#include "store/sql/statement.h"

namespace obs {

// Fails with `invalid_input` when an operator, a value or an aggregate does not fit its field.
Result<void> check(const RowQuestion& question);
Result<void> check(const GroupQuestion& question);

// Rows lie by project and time. The newest of so many projects are looked for in each of them, and merged; of
// more, or of an unknown number, all rows of the window have to be looked at.
constexpr std::size_t most_merged_projects = 16;

// Questions must have been checked. Columns of the answer have their names in the schema; content is cut
// only roughly, see cut_content. A limit of 0 is no limit.
Statement render(const RowQuestion& question, const Dialect& dialect);
// Columns of the answer are g0, g1 … and a0, a1 …; figure_names has their names.
Statement render(const GroupQuestion& question, const Dialect& dialect);
std::vector<std::string> figure_names(const GroupQuestion& question);

// Cuts text columns with content to at most `bytes`, at characters.
void cut_content(AnyBatch& rows, std::size_t bytes);

}  // namespace obs
