// What model calls cost: in all, by whom, over time (contract 1.10 and the cost routes of 1.14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "query/figures.h"
#include "query/figures_calendar.h"

namespace obs::query {

// Of a group of calls. A cost that nobody knows is missing; without calls it is 0.
struct Costs {
    std::int64_t requests = 0, priced = 0;  // calls, and those with a known cost
    std::optional<Usd> total, prompt, completion;
    std::optional<std::int64_t> tokens, prompt_tokens, completion_tokens;

    void add(const Costs& more);
    // What is left without them.
    Costs without(const Costs& some) const;
    std::optional<double> per_request() const;    // dollars, of calls whose cost is known
    std::optional<double> per_1k_tokens() const;  // dollars
};

struct CostGroup {
    std::vector<std::string> names;  // of the dimensions in their order; empty for calls without one
    Costs costs;
};

// The groups with the highest costs, and what the others come to.
struct CostBreakdown {
    std::vector<CostGroup> groups;
    std::optional<Costs> others;
};

struct CostPoint {
    UnixNanos at;
    Costs costs;
};
struct CostDay {
    std::string date;
    Costs costs;
};

// Of a series of steps of equal length: the slope of a straight line through it, in dollars a step. Missing
// with fewer than two steps.
std::optional<double> growth(const std::vector<CostDay>& series);

struct CostTrends {
    std::vector<CostDay> daily, weekly;  // of the window; weeks are named by their Monday
    // The last whole day against the one before, the last seven whole days against the seven before: 0.25 is
    // a quarter more. Missing when there was nothing before.
    std::optional<double> day_over_day, week_over_week;
};

struct CostQuestion {
    explicit CostQuestion(Scope whose) : scope(std::move(whose)) {}
    Scope scope;
    UnixNanos from, to, now;
    Filter filter{};
    Calendar calendar{};
    std::optional<Nanos> interval{};    // of `series`
    std::vector<Dimension> group_by{};  // of `breakdown`
    bool usual_breakdowns = true, trends = true;
    std::size_t limit = 50;
    std::optional<std::uint64_t> up_to_seq{};  // spans ingested later are not there; set by costs()
};

struct CostReport {
    Costs total;
    CostBreakdown breakdown;
    CostBreakdown by_model, by_provider, by_user, by_service, by_environment;
    std::vector<CostPoint> series;  // every step, also those without calls
    CostTrends trends;
    DataSource source = DataSource::raw;
};

// Errors: `too_large` when there are too many steps or groups in time, else those of the store.
Result<CostReport> costs(const Figures& figures, const CostQuestion& question, const Cancel& cancel);

// Costs of groups without the rest of a report.
struct CostGroups {
    Costs total;
    std::vector<CostGroup> groups;
    DataSource source = DataSource::raw;
};
Result<CostGroups> cost_groups(const Figures& figures, const CostQuestion& question, const Cancel& cancel);

// Costs of each day in the window, also of those without calls.
struct CostDays {
    std::vector<CostDay> days;
    DataSource source = DataSource::raw;
};
Result<CostDays> cost_days(const Figures& figures, const CostQuestion& question, const Cancel& cancel);

}  // namespace obs::query
