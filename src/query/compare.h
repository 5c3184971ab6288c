// Models beside each other (contract 1.11).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "query/performance.h"

namespace obs::query {

struct ComparedModel {
    std::string name;                    // as it was asked for
    std::vector<std::string> providers;  // the busiest first; empty without calls
    Performance figures;
    std::optional<double> quality;  // the average of the scores from 0 to 1 that its traces got
};

struct Comparison {
    std::vector<ComparedModel> models;  // in the order asked for
    // "N/A" when no model has a figure.
    std::string fastest, cheapest, most_reliable;
    std::vector<std::string> recommendations;
    DataSource source = DataSource::raw;
    bool exact = true;
};

// A model is what answered or what was asked for.
Result<Comparison> compare(const Figures& figures, const PerformanceQuestion& question,
                           const std::vector<std::string>& models, const Cancel& cancel);

}  // namespace obs::query
