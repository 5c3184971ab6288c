// Filters as JSON, in both spellings of the contract (section 1.7):
//   {"operator":"AND","conditions":[{"field":"model","operator":"eq","value":"gpt-4o"}, …]}
//   {"operator":"NOT","filters":[{"field":"status_code","operator":"eq","value":"ERROR"}]}
#pragma once

#include <cstddef>

#include <simdjson.h>

#include "base/result.h"
#include "base/time.h"
#include "model/question.h"

namespace obs::query {

constexpr int filter_depth_limit = 32;
constexpr std::size_t filter_leaves_limit = 1000;

// A group or a leaf. Fails with `invalid_input`; Error::field is the field of the condition at fault, or the
// key of the group (`operator`, `conditions`, `filters`).
Result<Filter> parse_filter(TableId table, const simdjson::dom::element& json, UnixNanos now);

}  // namespace obs::query
