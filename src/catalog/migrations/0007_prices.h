// Prices that were set while the program ran. Frozen.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 2> catalog_step_7{
    // `revision` counts all prices that were ever set; nothing is deleted, so that old costs can be
    // explained.
    // `project` is empty for the whole organisation. `entry` is the price itself, as docs/prices.md has it in
    // JSON; provider to valid_from are the members of it by which a later price takes its place.
    "CREATE TABLE prices (revision BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, org TEXT NOT NULL REFERENCES "
    "organisations (id), project TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, service TEXT "
    "NOT "
    "NULL, valid_from TEXT NOT NULL, entry TEXT NOT NULL, set_by TEXT NOT NULL, set_at BIGINT NOT NULL, "
    "retired_by TEXT NOT NULL, retired_at BIGINT)",
    "CREATE INDEX prices_by_org ON prices (org, retired_at)",
};

}  // namespace obs
