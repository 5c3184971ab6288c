// Filters as one line that a person can read, and that no other filter has: `all(model eq "gpt-4o",
// total_cost gt 10000000)`.
#pragma once

#include <string>

#include "model/question.h"

namespace obs::query {

std::string text_of(const Filter& filter);

}  // namespace obs::query
