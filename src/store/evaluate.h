// Which rows match a filter, in plain C++: the meaning of the operators that every store agrees with.
//
// On top of model/question.h:
// - ne, not_in and not_contains are the opposites of eq, in and contains, so they match missing values.
// - An empty text is missing, so `eq ""` matches nothing and `ne ""` everything.
// - On a list a condition holds when it holds for one element; its opposite when it holds for none.
// - On a map key a number is compared with values that read as a finite number as a whole, whatever the type
//   they were sent with; a text is compared with the stored text. A whole map is only missing or present.
// - Texts and ids are ordered by their bytes.
// - In a regex a dot also matches a line break, since prompts have many lines; `(?-s)` turns that off.
// - NaN equals nothing, not even itself, and is neither less nor greater.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "model/question.h"

namespace obs {

// A filter made ready for one question. Any thread may use it.
class Matcher {
public:
    // Fails with `invalid_input` when an operator or a value does not fit its field, and for a regex that RE2
    // refuses. Fields must be of `table`.
    static Result<Matcher> compile(TableId table, const Filter& filter);
    Matcher(Matcher&&) noexcept;
    Matcher& operator=(Matcher&&) noexcept;
    ~Matcher();

    // Takes the rows that do not match out of `rows`, which are ascending.
    void keep(const AnyBatch& batch, std::vector<std::uint32_t>& rows) const;

private:
    struct Node;
    explicit Matcher(std::unique_ptr<Node> root);
    std::unique_ptr<Node> root_;
};

// The rows somebody may see: those of the scope. A project of another organisation is never in it.
void keep_scope(const Scope& scope, const AnyBatch& batch, std::vector<std::uint32_t>& rows);

}  // namespace obs
