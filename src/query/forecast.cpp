#include "query/forecast.h"

#include <algorithm>
#include <cmath>

namespace obs::query {

namespace {

struct Line {
    double start, slope;
    double at(std::size_t day) const { return start + slope * static_cast<double>(day); }
};

Line fit(std::span<const double> past) {
    const auto count = static_cast<double>(past.size());
    double mean_x = (count - 1) / 2, mean_y = 0;
    for (const double cost : past) mean_y += cost / count;
    double together = 0, alone = 0;
    for (std::size_t day = 0; day < past.size(); ++day) {
        const double x = static_cast<double>(day) - mean_x;
        together += x * (past[day] - mean_y);
        alone += x * x;
    }
    const double slope = alone > 0 ? together / alone : 0;
    return {mean_y - slope * mean_x, slope};
}

}  // namespace

Forecast forecast(std::span<const double> past, std::size_t days) {
    const Line line = fit(past);
    double mean = 0, residuals = 0, spread = 0, relative = 0;
    std::size_t days_with_cost = 0;
    for (const double cost : past) mean += cost / static_cast<double>(past.size());
    for (std::size_t day = 0; day < past.size(); ++day) {
        const double off = past[day] - line.at(day);
        residuals += off * off;
        spread += (past[day] - mean) * (past[day] - mean);
        if (past[day] == 0) continue;
        relative += std::abs(off / past[day]);
        ++days_with_cost;
    }
    Forecast forecast;
    if (spread > 0) forecast.r_squared = 1 - residuals / spread;
    if (days_with_cost > 0) forecast.mape = 100 * relative / static_cast<double>(days_with_cost);
    // Two parameters of the line are taken from the days.
    const double degrees = std::max<double>(static_cast<double>(past.size()) - 2, 1);
    const double margin = 1.96 * std::sqrt(residuals / degrees);
    for (std::size_t day = 0; day < days; ++day) {
        const double cost = std::max(line.at(past.size() + day), 0.0);
        forecast.days.push_back({cost, std::max(cost - margin, 0.0), cost + margin});
        forecast.total += cost;
    }
    forecast.daily_average = days == 0 ? 0 : forecast.total / static_cast<double>(days);
    return forecast;
}

}  // namespace obs::query
