#include "catalog/catalog.h"

#include <algorithm>
#include <mutex>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "catalog/data_directory.h"
#include "catalog/migrations.h"
#include "catalog/sha256.h"

namespace obs {
namespace {

constexpr std::size_t sessions = 4;
constexpr std::string_view busy_seconds = "10";
constexpr std::string_view key_start = "llmo_sk_live_";
constexpr std::size_t key_random = 40;
constexpr std::size_t shown_characters = key_start.size() + 6;
constexpr std::size_t name_limit = 100;

// SOCI speaks in exceptions; they end here.
template <class Work>
auto guarded(std::string_view doing, Work work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::exception& error) {
        return fail(ErrorKind::unavailable, "catalog: cannot {}: {}", doing, error.what());
    }
}

// The texts come from random_text() and SQL parameters are bound by position: user text is never SQL.
constexpr std::string_view key_columns =
    "SELECT k.id, k.prefix, p.org, k.project, k.sha256, k.requests_per_second, k.bytes_per_second, "
    "k.created, "
    "k.revoked FROM ingest_keys k JOIN projects p ON p.id = k.project ";

struct KeyRow {
    IngestKey key;
    long long requests = 0, bytes = 0, created = 0, revoked = 0;
    soci::indicator has_requests = soci::i_null, has_bytes = soci::i_null, has_revoked = soci::i_null;

    IngestKey value() const {
        IngestKey copy = key;
        if (has_requests == soci::i_ok) copy.quota.requests_per_second = requests;
        if (has_bytes == soci::i_ok) copy.quota.bytes_per_second = bytes;
        copy.created = {created};
        if (has_revoked == soci::i_ok) copy.revoked = UnixNanos{revoked};
        return copy;
    }
};

// `bind` is the one text parameter `:value` of `condition`; every condition has it.
std::vector<IngestKey> select_keys(soci::session& sql, std::string_view condition, const std::string& bind) {
    KeyRow row;
    soci::statement statement =
        (sql.prepare << key_columns << condition, soci::into(row.key.id), soci::into(row.key.prefix),
         soci::into(row.key.org), soci::into(row.key.project), soci::into(row.key.sha256),
         soci::into(row.requests, row.has_requests), soci::into(row.bytes, row.has_bytes),
         soci::into(row.created), soci::into(row.revoked, row.has_revoked), soci::use(bind, "value"));
    statement.execute();
    std::vector<IngestKey> found;
    while (statement.fetch()) found.push_back(row.value());
    return found;
}

std::vector<Project> select_projects(soci::session& sql, std::string_view condition,
                                     const std::string& bind) {
    Project row;
    soci::statement statement =
        (sql.prepare << "SELECT id, org, name, slug FROM projects " << condition, soci::into(row.id),
         soci::into(row.org), soci::into(row.name), soci::into(row.slug), soci::use(bind, "value"));
    statement.execute();
    std::vector<Project> found;
    while (statement.fetch()) found.push_back(row);
    return found;
}

// Lower case letters and digits with single dashes; names without any get random ones.
std::string slug_of(std::string_view name) {
    std::string slug;
    for (const char c : name) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            slug += c;
        else if (c >= 'A' && c <= 'Z')
            slug += static_cast<char>(c - 'A' + 'a');
        else if (!slug.empty() && slug.back() != '-')
            slug += '-';
    }
    while (!slug.empty() && slug.back() == '-') slug.pop_back();
    return slug.empty() ? "project-" + random_text(8) : slug;
}

int applied_steps(soci::session& sql) {
    int tables = 0;
    sql << "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_steps'",
        soci::into(tables);
    if (tables == 0) return 0;
    int steps = 0;
    sql << "SELECT COALESCE(MAX(step), 0) FROM schema_steps", soci::into(steps);
    return steps;
}

void apply_steps(soci::session& sql, int applied) {
    sql << "CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT PRIMARY KEY, applied BIGINT NOT NULL)";
    for (int step = applied + 1; step <= catalog_schema_version(); ++step) {
        soci::transaction transaction(sql);
        for (const std::string_view statement : catalog_steps[static_cast<std::size_t>(step - 1)])
            sql << statement;
        const long long now = system_now().since_epoch;
        sql << "INSERT INTO schema_steps (step, applied) VALUES (:step, :now)", soci::use(step),
            soci::use(now);
        transaction.commit();
    }
}

Result<void> migrate(soci::session& sql, Migrations migrations) {
    const int applied = applied_steps(sql);
    const int known = catalog_schema_version();
    if (applied > known)
        return fail(ErrorKind::invalid_input,
                    "the catalog has schema {}, made by a newer program; this one knows {} and older",
                    applied, known);
    if (applied == known) return {};
    if (migrations == Migrations::refuse)
        return fail(ErrorKind::invalid_input,
                    "the catalog has schema {} and this program needs {}: start `observatory serve` once",
                    applied, known);
    apply_steps(sql, applied);
    return {};
}

void open_session(soci::session& sql, const std::filesystem::path& file) {
    // FULL: a key that was shown to its user exists after a power cut.
    sql.open(soci::sqlite3,
             "db=\"" + file.string() + "\" timeout=" + std::string(busy_seconds) + " synchronous=FULL");
    std::string mode;
    sql << "PRAGMA journal_mode = WAL", soci::into(mode);
    sql << "PRAGMA foreign_keys = ON";
}

}  // namespace

struct Catalog::Database {
    soci::connection_pool pool{sessions};
    // PRAGMA data_version counts what other connections did: this one changes nothing and so sees every
    // change.
    std::mutex watcher_mutex;
    soci::session watcher;
};

Catalog::Catalog(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

int catalog_schema_version() {
    return static_cast<int>(catalog_steps.size());
}

Result<Catalog> Catalog::open(const std::filesystem::path& file, Migrations migrations) {
    std::error_code ignored;
    if (migrations == Migrations::refuse && !std::filesystem::exists(file, ignored))
        return fail(ErrorKind::not_found, "there is no catalog at {}: start `observatory serve` once",
                    file.string());
    if (file.string().contains('"'))
        return fail(ErrorKind::invalid_input, "the path of the catalog must not hold a quotation mark: {}",
                    file.string());
    return guarded("open " + file.string(), [&]() -> Result<Catalog> {
        auto database = std::make_unique<Database>();
        open_session(database->watcher, file);
        OBS_TRY_VOID(migrate(database->watcher, migrations));
        for (std::size_t i = 0; i < sessions; ++i) open_session(database->pool.at(i), file);
        return Catalog(std::move(database));
    });
}

Result<std::vector<Project>> Catalog::projects() const {
    return guarded("list projects", [&]() -> Result<std::vector<Project>> {
        soci::session sql(database_->pool);
        return select_projects(sql, "WHERE org <> :value ORDER BY created, id", "");
    });
}

Result<Project> Catalog::project(std::string_view any_name) const {
    return guarded("find a project", [&]() -> Result<Project> {
        soci::session sql(database_->pool);
        for (const char* condition : {"WHERE id = :value", "WHERE slug = :value", "WHERE name = :value"}) {
            std::vector<Project> found = select_projects(sql, condition, std::string(any_name));
            if (!found.empty()) return std::move(found.front());
        }
        return fail(ErrorKind::not_found, "there is no project {}", any_name);
    });
}

Result<Project> Catalog::create_project(std::string_view name, UnixNanos now) {
    if (name.empty() || name.size() > name_limit)
        return fail(ErrorKind::invalid_input, "the name of a project has 1 to {} bytes, this one {}",
                    name_limit, name.size());
    return guarded("create a project", [&]() -> Result<Project> {
        soci::session sql(database_->pool);
        const std::string text(name);
        if (!select_projects(sql, "WHERE name = :value", text).empty())
            return fail(ErrorKind::invalid_input, "there is a project {} already", name);
        std::string slug = slug_of(name);
        if (!select_projects(sql, "WHERE slug = :value OR id = :value", slug).empty())
            slug += "-" + random_text(8);
        const long long created = now.since_epoch;
        sql << "INSERT INTO projects (id, org, name, slug, created) VALUES (:id, 'default', :name, :slug, "
               ":created)",
            soci::use(slug), soci::use(text), soci::use(slug), soci::use(created);
        return Project{slug, "default", text, slug};
    });
}

Result<NewIngestKey> Catalog::create_key(const Project& project, Quota quota, UnixNanos now) {
    if (quota.requests_per_second.value_or(1) < 1 || quota.bytes_per_second.value_or(1) < 1)
        return fail(ErrorKind::invalid_input, "a quota is at least 1 a second");
    return guarded("create a key", [&]() -> Result<NewIngestKey> {
        const std::string text = std::string(key_start) + random_text(key_random);
        const IngestKey key{.id = "key_" + random_text(12),
                            .prefix = text.substr(0, shown_characters),
                            .org = project.org,
                            .project = project.id,
                            .sha256 = sha256_hex(text),
                            .quota = quota,
                            .created = now,
                            .revoked = std::nullopt};
        const long long requests = quota.requests_per_second.value_or(0),
                        bytes = quota.bytes_per_second.value_or(0);
        soci::indicator has_requests = quota.requests_per_second ? soci::i_ok : soci::i_null;
        soci::indicator has_bytes = quota.bytes_per_second ? soci::i_ok : soci::i_null;
        const long long created = now.since_epoch;
        soci::session sql(database_->pool);
        sql << "INSERT INTO ingest_keys (id, prefix, sha256, project, requests_per_second, bytes_per_second, "
               "created) "
               "VALUES (:id, :prefix, :sha256, :project, :requests, :bytes, :created)",
            soci::use(key.id), soci::use(key.prefix), soci::use(key.sha256), soci::use(key.project),
            soci::use(requests, has_requests), soci::use(bytes, has_bytes), soci::use(created);
        return NewIngestKey{key, Secret(text)};
    });
}

Result<std::vector<IngestKey>> Catalog::keys() const {
    return guarded("list keys", [&]() -> Result<std::vector<IngestKey>> {
        soci::session sql(database_->pool);
        return select_keys(sql, "WHERE k.id <> :value ORDER BY k.created, k.id", "");
    });
}

Result<std::optional<IngestKey>> Catalog::key_by_hash(std::string_view sha256) const {
    return guarded("find a key", [&]() -> Result<std::optional<IngestKey>> {
        soci::session sql(database_->pool);
        std::vector<IngestKey> found = select_keys(sql, "WHERE k.sha256 = :value", std::string(sha256));
        if (found.empty()) return std::optional<IngestKey>();
        return std::optional(std::move(found.front()));
    });
}

Result<IngestKey> Catalog::revoke_key(std::string_view id_or_prefix, UnixNanos now) {
    return guarded("revoke a key", [&]() -> Result<IngestKey> {
        soci::session sql(database_->pool);
        const std::string text(id_or_prefix);
        std::vector<IngestKey> found = select_keys(sql, "WHERE k.id = :value", text);
        if (found.empty() && text.size() > key_start.size())
            found = select_keys(sql, "WHERE substr(k.prefix, 1, length(:value)) = :value", text);
        if (found.empty()) return fail(ErrorKind::not_found, "there is no key {}", id_or_prefix);
        if (found.size() > 1)
            return fail(ErrorKind::invalid_input, "{} keys start with {}: name one by its id", found.size(),
                        id_or_prefix);
        IngestKey key = std::move(found.front());
        const long long at = now.since_epoch;
        sql << "UPDATE ingest_keys SET revoked = :at WHERE id = :id AND revoked IS NULL", soci::use(at),
            soci::use(key.id);
        if (!key.revoked) key.revoked = now;
        return key;
    });
}

Result<std::optional<std::string>> Catalog::setting(std::string_view name) const {
    return guarded("read a setting", [&]() -> Result<std::optional<std::string>> {
        soci::session sql(database_->pool);
        std::string value;
        const std::string key(name);
        sql << "SELECT value FROM settings WHERE name = :name", soci::into(value), soci::use(key);
        return sql.got_data() ? std::optional(value) : std::nullopt;
    });
}

Result<void> Catalog::set_setting(std::string_view name, std::string_view value) {
    return guarded("write a setting", [&]() -> Result<void> {
        soci::session sql(database_->pool);
        const std::string key(name), text(value);
        sql << "INSERT INTO settings (name, value) VALUES (:name, :value) "
               "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            soci::use(key), soci::use(text);
        return {};
    });
}

Result<std::int64_t> Catalog::version() const {
    return guarded("ask for changes", [&]() -> Result<std::int64_t> {
        const std::lock_guard lock(database_->watcher_mutex);
        long long version = 0;
        database_->watcher << "PRAGMA data_version", soci::into(version);
        return version;
    });
}

}  // namespace obs
