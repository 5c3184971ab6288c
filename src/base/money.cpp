#include "base/money.h"

#include <cmath>

namespace obs {

std::optional<Usd> usd_from_dollars(double dollars) {
    if (!std::isfinite(dollars) || std::fabs(dollars) > 1e9) return std::nullopt;
    return Usd{std::llrint(dollars * 1e9)};
}

}  // namespace obs
