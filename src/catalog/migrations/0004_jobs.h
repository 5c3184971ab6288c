// Work that takes minutes and outlives its request: exports, prices applied to history. Frozen.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 3> catalog_step_4{
    // `data` is the id of the data directory whose rows it is about. `owner` is the process that works on it,
    // until
    // `lease`. `projects` and `rights` are those of who asked, when they asked; no projects are all of the
    // organisation. `up_to` is the last ingest sequence that existed then.
    "CREATE TABLE jobs (id TEXT PRIMARY KEY, org TEXT NOT NULL, "
    "kind TEXT NOT NULL, data TEXT NOT NULL, status TEXT NOT NULL, request TEXT NOT NULL, "
    "created_by TEXT NOT NULL, projects TEXT NOT NULL, rights TEXT NOT NULL, up_to BIGINT NOT NULL, "
    "created BIGINT NOT NULL, started BIGINT, completed BIGINT, expires BIGINT, progress BIGINT NOT NULL, "
    "row_count BIGINT, bytes BIGINT, file TEXT NOT NULL, error TEXT NOT NULL, result TEXT NOT NULL, "
    "attempts BIGINT NOT NULL, owner TEXT NOT NULL, lease BIGINT NOT NULL)",
    "CREATE INDEX jobs_by_org ON jobs (org, kind, created)",
    "CREATE INDEX jobs_by_status ON jobs (data, status, created)",
};

}  // namespace obs
