// Keys, the part of the catalog that catalog.h declares under create_key and what follows.
#include <algorithm>

#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "catalog/database.h"
#include "catalog/sha256.h"

namespace obs {
namespace {

constexpr std::string_view live_start = "llmo_sk_live_", test_start = "llmo_sk_test_";
constexpr std::size_t key_random = 40;
constexpr std::size_t shown_characters = live_start.size() + 6;
constexpr std::size_t name_limit = 100;

struct OptionalNumber {
    long long number = 0;
    soci::indicator present = soci::i_null;

    OptionalNumber() = default;
    explicit OptionalNumber(std::optional<std::int64_t> value)
        : number(value.value_or(0)), present(value ? soci::i_ok : soci::i_null) {}
    explicit OptionalNumber(std::optional<UnixNanos> value)
        : number(value.value_or(UnixNanos{}).since_epoch), present(value ? soci::i_ok : soci::i_null) {}
    std::optional<std::int64_t> value() const {
        return present == soci::i_ok ? std::optional<std::int64_t>(number) : std::nullopt;
    }
    std::optional<UnixNanos> time() const {
        return present == soci::i_ok ? std::optional(UnixNanos{number}) : std::nullopt;
    }
};

struct KeyRow {
    ApiKey key;
    std::string scopes, projects;
    OptionalNumber requests, bytes, per_minute, expires, last_used, revoked;
    soci::indicator has_owner = soci::i_null;
    long long created = 0;

    ApiKey value() const {
        ApiKey copy = key;
        if (has_owner != soci::i_ok) copy.owner.clear();
        copy.scopes = split_words(scopes);
        copy.projects = split_words(projects);
        copy.quota = {requests.value(), bytes.value()};
        copy.requests_per_minute = per_minute.value();
        copy.created = {created};
        copy.expires = expires.time();
        copy.last_used = last_used.time();
        copy.revoked = revoked.time();
        return copy;
    }
};

// `value` is the one text parameter `:value` of `condition`; every condition has it.
std::vector<ApiKey> select_keys(soci::session& sql, std::string_view condition, const std::string& value) {
    KeyRow row;
    soci::statement statement =
        (sql.prepare << "SELECT id, prefix, name, org, owner, scopes, projects, sha256, requests_per_second, "
                        "bytes_per_second, requests_per_minute, created, expires, last_used, revoked FROM "
                        "api_keys "
                     << condition,
         soci::into(row.key.id), soci::into(row.key.prefix), soci::into(row.key.name),
         soci::into(row.key.org), soci::into(row.key.owner, row.has_owner), soci::into(row.scopes),
         soci::into(row.projects), soci::into(row.key.sha256),
         soci::into(row.requests.number, row.requests.present),
         soci::into(row.bytes.number, row.bytes.present),
         soci::into(row.per_minute.number, row.per_minute.present), soci::into(row.created),
         soci::into(row.expires.number, row.expires.present),
         soci::into(row.last_used.number, row.last_used.present),
         soci::into(row.revoked.number, row.revoked.present), soci::use(value, "value"));
    statement.execute();
    std::vector<ApiKey> found;
    while (statement.fetch()) found.push_back(row.value());
    return found;
}

void insert_key(soci::session& sql, const ApiKey& key) {
    const std::string scopes = joined(key.scopes), projects = joined(key.projects);
    soci::indicator has_owner = key.owner.empty() ? soci::i_null : soci::i_ok;
    OptionalNumber requests(key.quota.requests_per_second), bytes(key.quota.bytes_per_second),
        per_minute(key.requests_per_minute), expires(key.expires);
    const long long created = key.created.since_epoch;
    sql << "INSERT INTO api_keys (id, org, owner, name, prefix, sha256, scopes, projects, "
           "requests_per_second, bytes_per_second, requests_per_minute, created, expires) VALUES (:id, :org, "
           ":owner, :name, :prefix, :sha256, :scopes, :projects, :requests, :bytes, :minute, :created, "
           ":expires)",
        soci::use(key.id), soci::use(key.org), soci::use(key.owner, has_owner), soci::use(key.name),
        soci::use(key.prefix), soci::use(key.sha256), soci::use(scopes), soci::use(projects),
        soci::use(requests.number, requests.present), soci::use(bytes.number, bytes.present),
        soci::use(per_minute.number, per_minute.present), soci::use(created),
        soci::use(expires.number, expires.present);
}

Result<void> check(const KeyRequest& request, UnixNanos now) {
    if (request.quota.requests_per_second.value_or(1) < 1 || request.quota.bytes_per_second.value_or(1) < 1)
        return fail(ErrorKind::invalid_input, "a quota is at least 1 a second");
    if (request.requests_per_minute.value_or(1) < 1)
        return fail(ErrorKind::invalid_input, "a key may ask at least once a minute");
    if (request.name.size() > name_limit)
        return fail(ErrorKind::invalid_input, "the name of a key has at most {} bytes", name_limit);
    if (request.expires && *request.expires <= now)
        return fail(ErrorKind::invalid_input, "the key would have expired already");
    if (request.scopes.empty()) return fail(ErrorKind::invalid_input, "a key needs a scope");
    if (std::ranges::find(request.scopes, ingest_scope) != request.scopes.end() &&
        request.projects.size() != 1)
        return fail(ErrorKind::invalid_input, "a key that sends data has exactly one project, where it goes");
    return {};
}

}  // namespace

bool ApiKey::sends() const {
    return std::ranges::find(scopes, ingest_scope) != scopes.end();
}

Result<NewApiKey> Catalog::create_key(const KeyRequest& request, UnixNanos now) {
    OBS_TRY_VOID(check(request, now));
    return database_->change("create a key", [&](soci::session& sql) -> Result<NewApiKey> {
        const std::string text =
            std::string(request.for_tests ? test_start : live_start) + random_text(key_random);
        const ApiKey key{.id = new_uuid(),
                         .prefix = text.substr(0, shown_characters),
                         .name = request.name,
                         .org = request.org,
                         .owner = request.owner,
                         .scopes = request.scopes,
                         .projects = request.projects,
                         .sha256 = sha256_hex(text),
                         .quota = request.quota,
                         .requests_per_minute = request.requests_per_minute,
                         .created = now,
                         .expires = request.expires,
                         .last_used = std::nullopt,
                         .revoked = std::nullopt};
        insert_key(sql, key);
        return NewApiKey{key, Secret(text)};
    });
}

Result<NewApiKey> Catalog::create_key(const Project& project, Quota quota, UnixNanos now) {
    return create_key(KeyRequest{.org = project.org, .projects = {project.id}, .quota = quota}, now);
}

Result<std::vector<ApiKey>> Catalog::keys() const {
    return database_->read("list keys", [&](soci::session& sql) -> Result<std::vector<ApiKey>> {
        return select_keys(sql, "WHERE id <> :value ORDER BY created, id", "");
    });
}

Result<Listed<ApiKey>> Catalog::keys_of(std::string_view org, Page page) const {
    return database_->read("list keys", [&](soci::session& sql) -> Result<Listed<ApiKey>> {
        const std::string of(org);
        long long total = 0;
        sql << "SELECT COUNT(*) FROM api_keys WHERE org = :org", soci::into(total), soci::use(of);
        return Listed<ApiKey>{
            select_keys(sql,
                        fmt::format("WHERE org = :value ORDER BY created, id LIMIT {} OFFSET {}", page.limit,
                                    page.offset),
                        of),
            total};
    });
}

Result<std::optional<ApiKey>> Catalog::key_of(std::string_view org, std::string_view id) const {
    return database_->read("find a key", [&](soci::session& sql) -> Result<std::optional<ApiKey>> {
        for (ApiKey& key : select_keys(sql, "WHERE id = :value", std::string(id)))
            if (key.org == org) return std::optional(std::move(key));
        return std::optional<ApiKey>();
    });
}

Result<std::optional<ApiKey>> Catalog::key_by_hash(std::string_view sha256) const {
    return database_->read("find a key", [&](soci::session& sql) -> Result<std::optional<ApiKey>> {
        std::vector<ApiKey> found = select_keys(sql, "WHERE sha256 = :value", std::string(sha256));
        if (found.empty()) return std::optional<ApiKey>();
        return std::optional(std::move(found.front()));
    });
}

Result<ApiKey> Catalog::revoke_key(std::string_view id_or_prefix, UnixNanos now) {
    return database_->change("revoke a key", [&](soci::session& sql) -> Result<ApiKey> {
        const std::string text(id_or_prefix);
        std::vector<ApiKey> found = select_keys(sql, "WHERE id = :value", text);
        if (found.empty() && text.size() > live_start.size())
            found = select_keys(
                sql, "WHERE substr(prefix, 1, length(CAST(:value AS TEXT))) = CAST(:value AS TEXT)", text);
        if (found.empty()) return fail(ErrorKind::not_found, "there is no key {}", id_or_prefix);
        if (found.size() > 1)
            return fail(ErrorKind::invalid_input, "{} keys start with {}: name one by its id", found.size(),
                        id_or_prefix);
        ApiKey key = std::move(found.front());
        const long long at = now.since_epoch;
        sql << "UPDATE api_keys SET revoked = :at WHERE id = :id AND revoked IS NULL", soci::use(at),
            soci::use(key.id);
        if (!key.revoked) key.revoked = now;
        return key;
    });
}

Result<void> Catalog::note_use(const std::vector<std::pair<std::string, UnixNanos>>& last_used_by_id) const {
    if (last_used_by_id.empty()) return {};
    return database_->note("remember the use of keys", [&](soci::session& sql) -> Result<void> {
        for (const auto& [id, time] : last_used_by_id) {
            const long long at = time.since_epoch;
            sql << "UPDATE api_keys SET last_used = :at WHERE id = :id AND (last_used IS NULL OR "
                   "last_used < "
                   ":at)",
                soci::use(at, "at"), soci::use(id, "id");
        }
        return {};
    });
}

}  // namespace obs
