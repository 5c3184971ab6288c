// Figures that were out of the ordinary, while they last and afterwards. Frozen.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 2> catalog_step_5{
    // `source` is the id of the data directory whose figures they are. `usual` and `measured` are dollars,
    // tokens, milliseconds or a share, by the metric.
    "CREATE TABLE anomalies (id TEXT PRIMARY KEY, source TEXT NOT NULL, org TEXT NOT NULL, project TEXT NOT "
    "NULL, metric TEXT NOT NULL, dimension TEXT NOT NULL, value TEXT NOT NULL, severity TEXT NOT NULL, began "
    "BIGINT NOT NULL, ended BIGINT, worst BIGINT NOT NULL, window_length BIGINT NOT NULL, measured DOUBLE "
    "PRECISION NOT NULL, usual DOUBLE PRECISION NOT NULL, deviation DOUBLE PRECISION NOT NULL, calls BIGINT "
    "NOT NULL)",
    "CREATE INDEX anomalies_by_begin ON anomalies (source, began)",
};

}  // namespace obs
