// Organisations, projects, keys of applications, single settings. Frozen.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 7> catalog_step_1{
    "CREATE TABLE organisations (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created BIGINT NOT NULL)",
    "CREATE TABLE projects (id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES organisations (id), "
    "name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, created BIGINT NOT NULL, UNIQUE (org, name))",
    "CREATE TABLE ingest_keys (id TEXT PRIMARY KEY, prefix TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, "
    "project TEXT NOT NULL REFERENCES projects (id), requests_per_second BIGINT, bytes_per_second BIGINT, "
    "created BIGINT NOT NULL, revoked BIGINT)",
    "CREATE INDEX ingest_keys_by_project ON ingest_keys (project)",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "INSERT INTO organisations (id, name, created) VALUES ('default', 'default', 0)",
    "INSERT INTO projects (id, org, name, slug, created) VALUES ('default', 'default', 'default', 'default', "
    "0)",
};

}  // namespace obs
