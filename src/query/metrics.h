// Metrics of model calls by name: which figures they are made of, and what they come to (contract 1.14).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "query/figures.h"
#include "query/figures_calendar.h"

namespace obs::query {

struct MetricInfo;
// Null for other names.
const MetricInfo* metric_named(std::string_view name);
std::string_view name_of(const MetricInfo& metric);
std::span<const std::string_view> metric_names();

// `avg`, `p95`, also `average`, `total`, `median`; the canonical word, empty for unknown ones.
std::string_view aggregation_from(std::string_view word);

// One column of an answer.
struct MetricColumn {
    const MetricInfo* metric;
    std::string_view aggregation;  // canonical; empty: what is usual for the metric
    std::string name;
    // Whether the metric can be aggregated like that: counts, rates and throughput only in their own way.
    bool fits() const;
};

// Missing when no call has a value. Durations are milliseconds.
using MetricValue = std::variant<std::monostate, std::int64_t, double, Usd>;
std::optional<double> as_number(const MetricValue& value);  // money in dollars

struct MetricRow {
    std::optional<UnixNanos> at;
    std::vector<std::string> groups;
    std::vector<MetricValue> values;  // of the columns
};

struct MetricQuestion {
    explicit MetricQuestion(Scope whose) : scope(std::move(whose)) {}
    Scope scope;
    UnixNanos from, to, now;
    Filter filter{};
    Calendar calendar{};
    std::optional<Nanos> interval{};
    std::vector<Dimension> group_by{};
    std::vector<MetricColumn> columns{};
};

struct MetricAnswer {
    std::vector<MetricRow> rows;  // by time and groups; without groups every step
    DataSource source = DataSource::raw;
    bool exact = true;
};

constexpr std::size_t most_metric_rows = 10'000;
// Fails with `too_large` when there would be more rows than that.
Result<MetricAnswer> metrics(const Figures& figures, const MetricQuestion& question, const Cancel& cancel);

// How many different users or sessions called in the window.
Result<std::int64_t> distinct_in(const Figures& figures, const Scope& scope, const Filter& filter,
                                 UnixNanos from, UnixNanos to, UnixNanos now, std::string_view column,
                                 const Cancel& cancel);

}  // namespace obs::query
