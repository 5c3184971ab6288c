// The statements that compute rollups, and the columns of their tables, from those of the spans.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/rollup.h"
#include "store/sql/statement.h"

namespace obs {

// A bucket may have figures in several tables; they are computed together.
enum class RollupTable : std::uint8_t { minutes, hours, hour_keys, days };
inline constexpr RollupTable all_rollup_tables[] = {RollupTable::minutes, RollupTable::hours,
                                                    RollupTable::hour_keys, RollupTable::days};
std::string_view name_of(RollupTable table);
RollupLevel level_of(RollupTable table);
// Whether its figures are those of a key.
constexpr bool has_keys(RollupTable table) {
    return table == RollupTable::hour_keys || table == RollupTable::days;
}

struct RollupColumn {
    std::string name, type;
};
// What a table of migrations/ must have, in order. A sum stands beside the number of rows that had a value:
// none is unknown, not zero. Tokens and costs are those of model calls.
std::vector<RollupColumn> rollup_columns(RollupTable table);

// INSERT … SELECT of these buckets, all of one level, as `version`, into each table of the level.
std::vector<Statement> roll_up_statements(const RollUp& work, std::uint64_t version);

// A condition on a rollup table that leaves finished versions: without them a bucket has no figures.
// `buckets` is a condition on `bucket` that holds for all buckets in question.
std::string is_current(RollupLevel level, std::string_view buckets = "true");

}  // namespace obs
