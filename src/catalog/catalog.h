// The small mutable facts of a data directory: organisations, projects, ingest keys, settings. A SQL database
// behind (SQLite in the directory), several processes at once; commands change it while a server runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

namespace obs {

struct Project {
    std::string id;    // what rows and tokens carry; never changes. The first one is `default`.
    std::string org;   // organisation id
    std::string name;  // as a person wrote it
    std::string slug;  // for addresses: lower case letters, digits and dashes
};

// What one key may send; nothing means no limit of its own.
struct Quota {
    std::optional<std::int64_t> requests_per_second;
    std::optional<std::int64_t> bytes_per_second;  // of decompressed bodies
    auto operator<=>(const Quota&) const = default;
};

struct IngestKey {
    std::string id;
    std::string prefix;  // the first characters of the key, to recognise it by
    std::string org;
    std::string project;  // project id
    std::string sha256;   // hex; the key itself is kept nowhere
    Quota quota;
    UnixNanos created;
    std::optional<UnixNanos> revoked;
};

struct NewIngestKey {
    IngestKey key;
    Secret text;  // `llmo_sk_live_` and 40 random characters; shown once
};

enum class Migrations {
    apply,   // only with the lock of the data directory
    refuse,  // fails when the catalog is missing or older than this program
};

// Thread-safe. Every call may wait for a disk: none belongs on the way of the data.
class Catalog {
public:
    // Fails with `not_found` (no catalog, Migrations::refuse), `invalid_input` (older or newer than this
    // program, the message says which) or `unavailable`.
    static Result<Catalog> open(const std::filesystem::path& file, Migrations migrations);
    Catalog(Catalog&&) noexcept;
    Catalog& operator=(Catalog&&) noexcept;
    ~Catalog();

    Result<std::vector<Project>> projects() const;
    // By id, slug or name, in this order; `not_found` when there is none.
    Result<Project> project(std::string_view any_name) const;
    // Fails with `invalid_input` for an empty name, one above 100 bytes or one in use.
    Result<Project> create_project(std::string_view name, UnixNanos now);

    Result<NewIngestKey> create_key(const Project& project, Quota quota, UnixNanos now);
    // All of them, oldest first, the revoked ones too.
    Result<std::vector<IngestKey>> keys() const;
    Result<std::optional<IngestKey>> key_by_hash(std::string_view sha256) const;
    // By id or by a prefix that only one key has. A revoked key stays revoked as of the first time.
    Result<IngestKey> revoke_key(std::string_view id_or_prefix, UnixNanos now);

    // Free values by name, for parts that keep one small fact.
    Result<std::optional<std::string>> setting(std::string_view name) const;
    Result<void> set_setting(std::string_view name, std::string_view value);

    // A number that differs after another process has changed the catalog; cheap enough to ask each second.
    Result<std::int64_t> version() const;

private:
    struct Database;
    explicit Catalog(std::unique_ptr<Database> database);
    std::unique_ptr<Database> database_;
};

// The number of the newest migration this program knows.
int catalog_schema_version();

}  // namespace obs
