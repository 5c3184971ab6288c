// Who may ask: users, roles, sessions, keys for the API beside those that send data. Frozen.
// Lists of ids and permissions are words separated by commas; times are nanoseconds since 1970.
#pragma once

#include <array>
#include <string_view>

namespace obs {

inline constexpr std::array<std::string_view, 19> catalog_step_2{
    // One row. Every change that other processes must notice counts it up, first thing in its transaction.
    "CREATE TABLE changes (counter BIGINT NOT NULL)",
    "INSERT INTO changes (counter) VALUES (1)",

    "ALTER TABLE projects ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE projects ADD COLUMN archived BIGINT",

    // `email` as a person wrote it, `sign_in` in lower case: what is compared.
    "CREATE TABLE users (id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES organisations (id), "
    "email TEXT NOT NULL, sign_in TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT, "
    "role TEXT NOT NULL, projects TEXT NOT NULL, active BIGINT NOT NULL, created BIGINT NOT NULL, "
    "last_login BIGINT)",
    "CREATE INDEX users_by_org ON users (org, created, id)",

    "CREATE TABLE roles (id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES organisations (id), "
    "name TEXT NOT NULL, permissions TEXT NOT NULL, created BIGINT NOT NULL, UNIQUE (org, name))",

    "CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id) ON DELETE "
    "CASCADE, created BIGINT NOT NULL, expires BIGINT NOT NULL, revoked BIGINT, address TEXT NOT NULL, "
    "agent TEXT NOT NULL)",
    "CREATE INDEX sessions_by_user ON sessions (user_id, created)",
    "CREATE INDEX sessions_by_end ON sessions (expires)",

    // By the claim jti, until the token would have expired anyway.
    "CREATE TABLE revoked_tokens (id TEXT PRIMARY KEY, expires BIGINT NOT NULL)",

    "CREATE TABLE login_codes (sha256 TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id) ON "
    "DELETE CASCADE, expires BIGINT NOT NULL, used BIGINT)",
    "CREATE INDEX login_codes_by_user ON login_codes (user_id)",

    // `owner` is the user whose rights bound those of the key; none for keys made on the command line.
    "CREATE TABLE api_keys (id TEXT PRIMARY KEY, org TEXT NOT NULL REFERENCES organisations (id), "
    "owner TEXT REFERENCES users (id), name TEXT NOT NULL, prefix TEXT NOT NULL, sha256 TEXT NOT NULL "
    "UNIQUE, scopes TEXT NOT NULL, projects TEXT NOT NULL, requests_per_second BIGINT, bytes_per_second "
    "BIGINT, requests_per_minute BIGINT, created BIGINT NOT NULL, expires BIGINT, last_used BIGINT, "
    "revoked BIGINT)",
    "CREATE INDEX api_keys_by_org ON api_keys (org, created, id)",
    "CREATE INDEX api_keys_by_owner ON api_keys (owner)",
    "INSERT INTO api_keys (id, org, name, prefix, sha256, scopes, projects, requests_per_second, "
    "bytes_per_second, created, revoked) SELECT k.id, p.org, '', k.prefix, k.sha256, 'ingest', k.project, "
    "k.requests_per_second, k.bytes_per_second, k.created, k.revoked FROM ingest_keys k JOIN projects p ON "
    "p.id = k.project",
    "DROP INDEX ingest_keys_by_project",
    "DROP TABLE ingest_keys",
};

}  // namespace obs
