// The engine's sketch of many durations (quantileDD): how many lie in each of many narrow ranges.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace obs {

class Sketch {
public:
    // The state of an aggregate quantileDD as the engine writes it. Fails with `corrupt`.
    static Result<Sketch> parse(std::string_view state);

    double count() const { return count_; }
    // As of the values themselves: linear between the two nearest (store/aggregate.h), each of which is known
    // within the accuracy of the sketch. There must be a value.
    double quantile(double level) const;

private:
    struct Range {
        double value, count;
    };
    double value_at(double rank) const;

    std::vector<Range> ranges_;  // ascending
    double count_ = 0;
};

}  // namespace obs
