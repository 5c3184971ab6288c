// The statements that compute rollups, and the columns of their tables, from those of the spans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/rollup.h"
#include "store/sql/statement.h"

namespace obs {

// rollup_minutes, rollup_hours, rollup_days.
std::string_view rollup_table(RollupLevel level);

struct RollupColumn {
    std::string name, type;
};
// What a table of migrations/ must have, in order. A sum stands beside the number of rows that had a value:
// none is unknown, not zero. Tokens and costs are those of model calls.
std::vector<RollupColumn> rollup_columns(RollupLevel level);

// INSERT … SELECT of these buckets, all of one level, as `version`. From minutes, only hours can be made.
Statement roll_up_statement(const RollUp& work, std::uint64_t version);

// A condition on a rollup table that leaves finished versions: without them a bucket has no figures.
// `buckets` is a condition on `bucket` that holds for all buckets in question.
std::string is_current(RollupLevel level, std::string_view buckets = "true");

}  // namespace obs
