// How fast and how well model calls went (contract 1.11), and models beside each other (models/compare).
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

// Milliseconds. Missing when no call has a value.
struct Latency {
    std::optional<double> average, least, most, p50, p95, p99;
};

// Of a group of calls over some time.
struct Performance {
    std::int64_t requests = 0, errors = 0;
    Latency latency;
    Latency ttft;  // without ends
    std::int64_t ttft_count = 0;
    std::optional<std::int64_t> tokens, prompt_tokens, completion_tokens;
    std::optional<Usd> cost;
    std::int64_t priced = 0;                  // calls with a known cost
    std::optional<double> tokens_per_second;  // completion tokens by the time that all calls took
    double seconds = 0;                       // of the window or the step

    std::optional<double> error_rate() const;
    double per_second() const { return seconds > 0 ? static_cast<double>(requests) / seconds : 0; }
};

struct PerformanceGroup {
    std::vector<std::string> names;
    Performance figures;
};
struct PerformancePoint {
    UnixNanos at;
    Performance figures;
};

struct ErrorType {
    std::string name;  // empty when the span does not say
    std::int64_t count = 0;
    std::string sample;  // one of the messages; empty unless asked for
};

struct PerformanceQuestion {
    explicit PerformanceQuestion(Scope whose) : scope(std::move(whose)) {}
    Scope scope;
    UnixNanos from, to, now;
    Filter filter{};
    Calendar calendar{};
    std::optional<Nanos> interval{};
    std::vector<Dimension> group_by{};
    bool errors = true, samples = false;  // samples: who asks may read content
    std::size_t limit = 50;
};

struct PerformanceReport {
    Performance total;
    std::vector<PerformancePoint> series;  // every step
    std::vector<PerformanceGroup> groups;  // the busiest first
    std::vector<ErrorType> errors;
    DataSource source = DataSource::raw;
    bool exact = true;  // percentiles
};

Result<PerformanceReport> performance(const Figures& figures, const PerformanceQuestion& question,
                                      const Cancel& cancel);

// ----- quality

// What evaluators gave to the traces of a model, from 0 to 1; people's feedback is not among it.
struct ModelScore {
    std::string provider, model, request_model;
    double sum = 0;
    std::int64_t count = 0;
};
// Of the scores given in the window, the newest 10,000. A trace's score is that of every model called in it.
Result<std::vector<ModelScore>> scores_by_model(const Figures& figures, const PerformanceQuestion& question,
                                                const Cancel& cancel);
// The average of those that `which` holds for; nothing when there are none.
template <class Which>
std::optional<double> average_score(const std::vector<ModelScore>& scores, Which&& which) {
    double sum = 0;
    std::int64_t count = 0;
    for (const ModelScore& one : scores) {
        if (!which(one)) continue;
        sum += one.sum;
        count += one.count;
    }
    if (count == 0) return std::nullopt;
    return sum / static_cast<double>(count);
}

struct Evaluator {
    std::string name;
    double average = 0;
    std::int64_t count = 0;
};
// Of texts of calls; those without a known mood do not count (docs/quality.md).
struct Moods {
    std::int64_t count = 0, positive = 0, negative = 0;
    double sum = 0;
};
struct QualityReport {
    PerformanceReport performance;  // groups: provider and model
    std::vector<Evaluator> evaluators;
    std::vector<ModelScore> model_scores;
    std::optional<double> feedback;         // the average of what people gave
    std::optional<double> resolution_rate;  // of the traces and sessions that were asked about
    std::optional<double> truncated_rate;   // of the calls that say why they stopped
    Moods input, output;
    std::optional<double> coherence;  // the average of the calls that have one
};
// Scores are those of the window and the scope, whatever the filter: they do not know models.
Result<QualityReport> quality(const Figures& figures, const PerformanceQuestion& question,
                              const Cancel& cancel);

}  // namespace obs::query
