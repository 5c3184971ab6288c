// Figures over groups of rows, exact: what GroupQuestion means.
//
// On top of model/question.h:
// - A missing group, and sum, min, max, avg and quantile of no value at all, are an empty cell; counts are 0
//   and `values` an empty list. Without groups and interval there is one row, even if no row matched.
// - Grouped by a list, a row belongs to the group of each of its elements, once, or to the missing group.
// - Sums of integers are integers and stop at the ends of Int64; quantiles interpolate linearly between the
//   two nearest values (Hyndman and Fan's R-7, quantileExactInclusive).
// - `distinct` and `values` of a list speak of its elements.
// - Rows of the answer that are equal by `order_by` are ordered by their groups, ascending; empty cells last.
// - Buckets are aligned to the epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "model/question.h"

namespace obs {

class Grouping {
public:
    // Fails with `invalid_input` when the question cannot be answered. `question` must outlive it.
    static Result<Grouping> start(const GroupQuestion& question);
    Grouping(Grouping&&) noexcept;
    Grouping& operator=(Grouping&&) noexcept;
    ~Grouping();

    // Adds rows that passed scope, window and filter; ascending.
    void add(const AnyBatch& batch, const std::vector<std::uint32_t>& rows);
    Table finish();

private:
    struct State;
    explicit Grouping(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace obs
