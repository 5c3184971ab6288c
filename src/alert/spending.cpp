#include "alert/spending.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace obs::alert {

namespace {

constexpr std::size_t most_named = 100'000, most_of_each = 10'000, most_subjects = 1000, most_shown = 10;

const ColumnInfo* column_named(std::string_view name) {
    return find_column(TableId::spans, name);
}

// The column whose values a scope names; null for budgets of all calls.
const ColumnInfo* column_of(BudgetScope scope) {
    switch (scope) {
        case BudgetScope::organisation:
        case BudgetScope::project: return nullptr;
        case BudgetScope::user: return column_named("user_id");
        case BudgetScope::model: return column_named("model");
        case BudgetScope::tag: return column_named("tags");
        case BudgetScope::key: return column_named("ingest_key");
    }
    return nullptr;
}

// Budgets that one question answers.
struct Kind {
    std::string org;
    Period period;
    const ColumnInfo* column;
    bool each;
    auto operator<=>(const Kind&) const = default;
};

struct Share {
    std::string project;
    Usd cost;
};
// By value; an empty one for budgets of all calls.
using Costs = std::unordered_map<std::string, std::vector<Share>>;

Scope scope_of(const Kind& kind, const std::vector<const Budget*>& budgets) {
    std::vector<std::string> projects;
    for (const Budget* budget : budgets) {
        if (budget->project.empty()) return Scope(kind.org, {});
        projects.push_back(budget->project);
    }
    std::ranges::sort(projects);
    projects.erase(std::ranges::unique(projects).begin(), projects.end());
    return Scope(kind.org, std::move(projects));
}

Filter any_value(const ColumnInfo* column, const std::vector<std::string>& values) {
    return Filter::where({{column}, Operator::in, {values.begin(), values.end()}});
}

FigureQuestion question_for(const Scope& scope, const ColumnInfo* column) {
    FigureQuestion question(scope);
    question.group_by = {{column_named("project_id")}};
    if (column != nullptr) question.group_by.push_back({column});
    question.aggregates = {query::sum_of("total_cost", "cost")};
    question.sets = {
        {.by_time = false,
         .groups = column == nullptr ? std::vector<std::size_t>{0} : std::vector<std::size_t>{0, 1}}};
    question.order_by = "cost";
    question.limit = most_of_each;
    return question;
}

std::string text_of(const Cell& cell) {
    const auto* text = std::get_if<std::string>(&cell);
    return text == nullptr ? std::string() : *text;
}

// How many rows there were.
Result<std::size_t> add_costs(const query::Figures& figures, FigureQuestion question, const Kind& kind,
                              UnixNanos now, const Cancel& cancel, Costs& costs) {
    const query::FigureAnswer answer =
        OBS_TRY(figures.answer(std::move(question), {kind.period.from, kind.period.to}, now, cancel));
    const query::FigureTable table(answer.sets.front());
    for (std::size_t row = 0; row < table.size(); ++row) {
        const std::string value = kind.column == nullptr ? std::string() : text_of(table.cell(row, 1));
        if (kind.column != nullptr && value.empty()) continue;
        costs[value].push_back({text_of(table.cell(row, 0)), table.money(row, "cost").value_or(Usd{})});
    }
    return table.size();
}

std::vector<std::string> values_of(const std::vector<const Budget*>& budgets) {
    std::vector<std::string> values;
    for (const Budget* budget : budgets) values.push_back(budget->value);
    std::ranges::sort(values);
    values.erase(std::ranges::unique(values).begin(), values.end());
    return values;
}

Result<Costs> costs_of(const query::Figures& figures, const Kind& kind,
                       const std::vector<const Budget*>& budgets, UnixNanos now, const Cancel& cancel) {
    Costs costs;
    FigureQuestion question = question_for(scope_of(kind, budgets), kind.column);
    const bool named = kind.column != nullptr && !kind.each;
    const bool is_list = kind.column != nullptr && kind.column->type == ColumnType::text_list;
    std::vector<std::string> values = named ? values_of(budgets) : std::vector<std::string>();
    // Rollups know the costs of every tag, and not those of spans that have certain ones.
    if (named && !is_list) question.filter.also(any_value(kind.column, values));
    if (kind.column == nullptr || (named && !is_list)) question.limit = most_named;
    const std::size_t rows = OBS_TRY(add_costs(figures, question, kind, now, cancel, costs));
    if (!is_list || !named || rows < question.limit) return costs;
    // More tags than one answer has: those that are not in it are asked for by name.
    std::erase_if(values, [&](const std::string& value) { return costs.contains(value); });
    if (values.empty()) return costs;
    Costs rest;
    question.filter.also(any_value(kind.column, values));
    question.limit = most_named;
    OBS_TRY(add_costs(figures, question, kind, now, cancel, rest));
    for (const std::string& value : values)
        if (const auto found = rest.find(value); found != rest.end()) costs[value] = found->second;
    return costs;
}

Usd sum(const std::vector<Share>& shares, const std::string& project) {
    Usd total;
    for (const Share& share : shares)
        if (project.empty() || share.project == project) total = total + share.cost;
    return total;
}

// From where on a value of a budget for each is worth remembering.
Usd least_remembered(const Budget& budget) {
    const Usd warning = budget.threshold(Severity::warning);
    return budget.hard_limit ? std::min(warning, *budget.hard_limit) : warning;
}

void keep_most(std::vector<std::pair<std::string, Usd>>& subjects, std::size_t most) {
    std::ranges::sort(subjects, [](const auto& a, const auto& b) {
        return std::tie(b.second, a.first) < std::tie(a.second, b.first);
    });
    if (subjects.size() > most) subjects.resize(most);
}

void set_spent(BudgetState& state, const Costs& costs) {
    const Budget& budget = state.budget;
    if (!budget.each()) {
        const auto found = costs.find(budget.value);
        state.spent = found == costs.end() ? Usd{} : sum(found->second, budget.project);
        return;
    }
    for (const auto& [value, shares] : costs) {
        const Usd spent = sum(shares, budget.project);
        state.spent = std::max(state.spent, spent);
        if (spent >= least_remembered(budget)) state.subjects.emplace_back(value, spent);
    }
    keep_most(state.subjects, most_subjects);
}

}  // namespace

Result<std::vector<BudgetState>> spending(const query::Figures& figures,
                                          std::span<const WatchedBudget> budgets, UnixNanos now,
                                          const Cancel& cancel) {
    std::vector<BudgetState> states;
    std::map<Kind, std::vector<std::size_t>> kinds;
    for (const auto& [budget, calendar] : budgets) {
        const Period period = period_at(budget, calendar, now);
        kinds[{budget.org, period, column_of(budget.scope), budget.each()}].push_back(states.size());
        states.push_back({.budget = budget, .period = period, .evaluated = now, .spent = {}});
    }
    for (const auto& [kind, members] : kinds) {
        std::vector<const Budget*> of_kind;
        for (const std::size_t at : members) of_kind.push_back(&states[at].budget);
        const Costs costs = OBS_TRY(costs_of(figures, kind, of_kind, now, cancel));
        for (const std::size_t at : members) set_spent(states[at], costs);
    }
    return states;
}

Result<std::vector<PeriodSpent>> spent_by_period(const query::Figures& figures, const Budget& budget,
                                                 const std::vector<Period>& periods, UnixNanos now,
                                                 const Cancel& cancel) {
    std::vector<PeriodSpent> spent;
    for (const Period& period : periods) spent.push_back({.period = period, .spent = {}});
    const ColumnInfo* column = column_of(budget.scope);
    FigureQuestion question(Scope(budget.org, budget.project.empty()
                                                  ? std::vector<std::string>()
                                                  : std::vector<std::string>{budget.project}));
    for (const Period& period : periods) question.edges.push_back(period.from);
    question.edges.push_back(periods.back().to);
    const bool is_list = column != nullptr && column->type == ColumnType::text_list;
    const bool grouped = budget.each() || is_list;
    if (column != nullptr && !budget.each()) question.filter.also(any_value(column, {budget.value}));
    if (grouped) question.group_by = {{column}};
    question.aggregates = {query::sum_of("total_cost", "cost"), query::count_of_calls()};
    question.sets = {
        {.by_time = true, .groups = grouped ? std::vector<std::size_t>{0} : std::vector<std::size_t>{}}};
    question.limit = most_named;
    const query::FigureAnswer answer =
        OBS_TRY(figures.answer(std::move(question), {periods.front().from, periods.back().to}, now, cancel));
    const query::FigureTable table(answer.sets.front());
    for (std::size_t row = 0; row < table.size(); ++row) {
        const auto at = std::ranges::find(spent, table.bucket(row),
                                          [](const PeriodSpent& one) { return one.period.from; });
        const std::string value = grouped ? text_of(table.cell(row, 1)) : budget.value;
        if (at == spent.end() || (is_list && !budget.each() && value != budget.value) ||
            (budget.each() && value.empty()))
            continue;
        const Usd cost = table.money(row, "cost").value_or(Usd{});
        at->spent = at->spent + cost;
        at->calls += table.count(row, "calls");
        if (budget.each()) at->subjects.emplace_back(value, cost);
    }
    for (PeriodSpent& one : spent) keep_most(one.subjects, most_shown);
    return spent;
}

}  // namespace obs::alert
