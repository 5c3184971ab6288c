// Facts that come inside JSON objects: usage, costs and settings under the names of many libraries.
#pragma once

#include <string_view>

#include "enrich/found.h"
#include "enrich/json_reader.h"

namespace obs {

// Each sets only what no attribute said. Where a usage object's words belong to a source with rules of its
// own, the form tells.
struct UsageForm {
    bool disjoint = false;         // Langfuse's buckets, summed up already
    bool cache_beside = false;     // raw Anthropic words
    bool thoughts_beside = false;  // Gemini: thoughts are not in the candidates' count
};
UsageForm read_usage(const JsonObject& usage, Found& found);
UsageForm read_langfuse_usage(const JsonObject& usage, Found& found);
void read_costs(const JsonObject& costs, std::string_view input, std::string_view output,
                std::string_view total, Found& found);
void read_parameters(const JsonObject& parameters, Found& found, RawAttributes& raw);

}  // namespace obs
