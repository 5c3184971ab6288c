// Questions as SQL, once for every dialect. Figures and rows are what store/evaluate.h, store/order.h and
// store/aggregate.h say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
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

// Parts of one statement that somebody else puts together. Each part may stand in it once or more often.
class StatementParts {
public:
    explicit StatementParts(const Dialect& dialect);
    ~StatementParts();

    std::string bind(std::int64_t value);
    std::string bind(std::vector<std::int64_t> values);
    // Conditions: rows that match, and those that may be seen.
    std::string matches(const Filter& filter);
    std::string belongs_to(const Scope& scope);
    // An expression on ts as it is kept.
    std::string moment(UnixNanos at);
    // The field as a value that compares; a list as a row for each of its elements.
    std::string group_key(const FieldRef& field);
    // `key` as a cell of the answer.
    std::string shown(const FieldRef& field, const std::string& key) const;
    std::string value_of(const FieldRef& field);
    // The condition under which a row enters the aggregate, and the aggregate.
    std::string counted(const Aggregate& aggregate);
    std::string figure(const Aggregate& aggregate);

    Statement put_together(std::string sql);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

// Cuts text columns with content to at most `bytes`, at characters.
void cut_content(AnyBatch& rows, std::size_t bytes);

}  // namespace obs
