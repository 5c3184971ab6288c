#include "alert/spend_board.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace obs::alert {

Board::Board(std::vector<BudgetState> states) : states_(std::move(states)) {
    for (const BudgetState& state : states_) {
        Over over{.by = &state, .values = {}};
        if (!state.budget.each() && state.over_limit(state.spent)) over.values.insert(state.budget.value);
        for (const auto& [subject, spent] : state.subjects)
            if (state.over_limit(spent)) over.values.insert(subject);
        if (!over.values.empty()) over_.push_back(std::move(over));
    }
}

const BudgetState* Board::find(std::string_view budget_id) const {
    const auto found = std::ranges::find(
        states_, budget_id, [](const BudgetState& state) -> const auto& { return state.budget.id; });
    return found == states_.end() ? nullptr : &*found;
}

bool Board::Over::meets(const Tenant& tenant, const SpanBatch& spans, std::size_t row) const {
    switch (by->budget.scope) {
        case BudgetScope::organisation:
        case BudgetScope::project: return true;
        case BudgetScope::key: return values.contains(tenant.key_id);
        case BudgetScope::user: return values.contains(spans.user_id[row]);
        case BudgetScope::model: return values.contains(spans.model[row]);
        case BudgetScope::tag:
            return std::ranges::any_of(spans.tags[row],
                                       [&](std::string_view tag) { return values.contains(tag); });
    }
    return false;
}

OverLimit Board::over(const Tenant& tenant, const SpanBatch& spans) const {
    OverLimit found;
    std::vector<const Over*> mine;
    for (const Over& over : over_) {
        const Budget& budget = over.by->budget;
        if (budget.org == tenant.org && (budget.project.empty() || budget.project == tenant.project))
            mine.push_back(&over);
    }
    if (mine.empty()) return found;
    // Those that refuse first: a span that is refused need not be flagged.
    std::ranges::stable_partition(mine, [](const Over* over) { return over->by->budget.refuses; });
    for (std::size_t row = 0; row < spans.size(); ++row) {
        const auto met =
            std::ranges::find_if(mine, [&](const Over* over) { return over->meets(tenant, spans, row); });
        if (met == mine.end()) continue;
        const Budget& budget = (*met)->by->budget;
        (budget.refuses ? found.refused : found.flagged).push_back(row);
        if (found.budget.empty() || budget.refuses) found.budget = budget.name;
    }
    return found;
}

std::shared_ptr<const Board> SpendBoard::now() const {
    const std::shared_lock lock(mutex_);
    return board_;
}

void SpendBoard::set(std::shared_ptr<const Board> board) {
    const std::unique_lock lock(mutex_);
    board_.swap(board);
}

}  // namespace obs::alert
