// The small mutable facts of a data directory: organisations, projects, keys, settings; accounts.h has the
// users. A SQL database behind (SQLite in the directory, or PostgreSQL for several servers), several
// processes at once; commands change it while a server runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "catalog/address.h"
#include "catalog/project_settings.h"

namespace obs {

class CatalogDatabase;

struct Project {
    std::string id;    // what rows and tokens carry; never changes. The first one is `default`.
    std::string org;   // organisation id
    std::string name;  // as a person wrote it
    std::string slug;  // for addresses: lower case letters, digits and dashes
    UnixNanos created{};
    std::optional<UnixNanos> archived{};  // its data stays readable, nothing can be sent to it
};

// The scope of keys that send data; every other scope is a permission of the API.
inline constexpr std::string_view ingest_scope = "ingest";

struct ApiKey {
    std::string id;
    std::string prefix;  // the first characters of the key, to recognise it by
    std::string name;
    std::string org;
    std::string owner;                  // user id: the key may never do more than this user; empty for none
    std::vector<std::string> scopes;    // `ingest`, and permissions
    std::vector<std::string> projects;  // ids; a key with `ingest` has exactly one
    std::string sha256;                 // hex; the key itself is kept nowhere
    Quota quota;                        // of what it sends
    std::optional<std::int64_t> requests_per_minute;  // of what it asks; nothing: by its role
    UnixNanos created;
    std::optional<UnixNanos> expires, last_used, revoked;

    bool sends() const;
    bool expired(UnixNanos now) const { return expires && *expires <= now; }
};

struct NewApiKey {
    ApiKey key;
    Secret text;  // `llmo_sk_live_` or `llmo_sk_test_` and 40 random characters; shown once
};

struct KeyRequest {
    std::string org = "default";
    std::string name{}, owner{};
    std::vector<std::string> scopes{std::string(ingest_scope)};
    std::vector<std::string> projects{};
    Quota quota{};
    std::optional<std::int64_t> requests_per_minute{};
    std::optional<UnixNanos> expires{};
    bool for_tests = false;  // only how the key begins
};

// A part of a list, oldest first.
struct Page {
    std::size_t limit = 50, offset = 0;
};
template <class T>
struct Listed {
    std::vector<T> items;
    std::int64_t total = 0;
};

enum class Migrations {
    apply,   // only with the lock of the data directory
    refuse,  // fails when the catalog is missing or older than this program
};

// Thread-safe. Every call may wait for a disk or a network: none belongs on the way of the data.
class Catalog {
public:
    // Fails with `not_found` (no catalog, Migrations::refuse), `invalid_input` (older or newer than this
    // program, the message says which) or `unavailable`.
    static Result<Catalog> open(CatalogAddress address, Migrations migrations);
    static Result<Catalog> open(const std::filesystem::path& file, Migrations migrations) {
        return open(CatalogAddress::file(file), migrations);
    }
    Catalog(Catalog&&) noexcept;
    Catalog& operator=(Catalog&&) noexcept;
    ~Catalog();

    // The archived ones too.
    Result<std::vector<Project>> projects() const;
    Result<Listed<Project>> projects_of(std::string_view org, Page page) const;
    // By id, slug or name, in this order; `not_found` when there is none.
    Result<Project> project(std::string_view any_name) const;
    // By id alone; nothing when the organisation has none.
    Result<std::optional<Project>> project_of(std::string_view org, std::string_view id) const;
    // Fails with `invalid_input` for an empty name, one above 100 bytes or one in use.
    Result<Project> create_project(std::string_view name, UnixNanos now, std::string_view org = "default");
    // Fails like create_project, and with `not_found`.
    Result<Project> rename_project(const Project& project, std::string_view name);
    // Revokes the keys that send to it. Archiving twice keeps the first time. Project `default` stays:
    // `invalid_input`.
    Result<Project> archive_project(const Project& project, UnixNanos now);
    Result<ProjectSettings> project_settings(std::string_view project_id) const;
    // Of all projects, the archived ones too.
    Result<std::vector<std::pair<Project, ProjectSettings>>> settings_of_projects() const;
    Result<void> set_project_settings(std::string_view project_id, const ProjectSettings& settings);

    // Fails with `invalid_input`: no scope, `ingest` without exactly one project, a quota of nothing.
    Result<NewApiKey> create_key(const KeyRequest& request, UnixNanos now);
    // A key that sends to this project.
    Result<NewApiKey> create_key(const Project& project, Quota quota, UnixNanos now);
    // All of them, oldest first, the revoked ones too.
    Result<std::vector<ApiKey>> keys() const;
    Result<Listed<ApiKey>> keys_of(std::string_view org, Page page) const;
    Result<std::optional<ApiKey>> key_of(std::string_view org, std::string_view id) const;
    Result<std::optional<ApiKey>> key_by_hash(std::string_view sha256) const;
    // By id or by a prefix that only one key has. A revoked key stays revoked as of the first time.
    Result<ApiKey> revoke_key(std::string_view id_or_prefix, UnixNanos now);
    // Remembers when keys were used last; later times win. Others need not notice.
    Result<void> note_use(const std::vector<std::pair<std::string, UnixNanos>>& last_used_by_id) const;

    // Free values by name, for parts that keep one small fact.
    Result<std::optional<std::string>> setting(std::string_view name) const;
    Result<void> set_setting(std::string_view name, std::string_view value);
    // What is there, else `value`, which is there from then on; all processes get the same.
    Result<std::string> setting_or_set(std::string_view name, std::string_view value);

    // A number that differs after a change that others must notice, here or in another process; cheap enough
    // to ask each second.
    Result<std::int64_t> version() const;

    const CatalogAddress& address() const;
    // For the files of this folder that keep another kind of fact.
    CatalogDatabase& database() const { return *database_; }

private:
    explicit Catalog(std::unique_ptr<CatalogDatabase> database);
    std::unique_ptr<CatalogDatabase> database_;
};

// The number of the newest migration this program knows.
int catalog_schema_version();

}  // namespace obs
