// What the next days will cost, by a straight line through the past ones.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace obs::query {

struct ForecastDay {
    double cost = 0, low = 0, high = 0;  // 95 % of days lie between low and high; never below 0
};

struct Forecast {
    std::vector<ForecastDay> days;
    double total = 0, daily_average = 0;
    // How much of the ups and downs the line explains, 0 to 1; missing when there are none.
    std::optional<double> r_squared;
    // How far the line is from a day on average, in percent of the day; missing when no day cost anything.
    std::optional<double> mape;
};

// `past` has at least two days, the oldest first.
Forecast forecast(std::span<const double> past, std::size_t days);

}  // namespace obs::query
