// Questions that people kept under a name. Frozen.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 2> catalog_step_6{
    // `owner` may be the subject of a token that no user stands behind.
    "CREATE TABLE saved_views (id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES organisations (id), "
    "project TEXT NOT NULL REFERENCES projects (id), owner TEXT NOT NULL, name TEXT NOT NULL, "
    "shared BIGINT NOT NULL, question TEXT NOT NULL, created BIGINT NOT NULL, changed BIGINT NOT NULL, "
    "UNIQUE (org, project, owner, name))",
    "CREATE INDEX saved_views_by_owner ON saved_views (org, owner)",
};

}  // namespace obs
