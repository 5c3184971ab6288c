#include "catalog/database.h"

#include <array>
#include <chrono>
#include <random>
#include <span>

#include <soci/postgresql/soci-postgresql.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/random.h>

#include "base/ids.h"
#include "base/log.h"
#include "base/time.h"
#include "catalog/migrations.h"

namespace obs {
namespace {

constexpr std::size_t sessions = 4;
constexpr std::string_view busy_seconds = "10";
// One number for all observatories of one server: starts that meet there migrate one after another.
constexpr long long migration_lock = 0x6f62736572766174;

bool has_table(soci::session& sql, bool sqlite) {
    int tables = 0;
    if (sqlite)
        sql << "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_steps'",
            soci::into(tables);
    else
        sql << "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() "
               "AND table_name = 'schema_steps'",
            soci::into(tables);
    return tables > 0;
}

int applied_steps(soci::session& sql, bool sqlite) {
    if (!has_table(sql, sqlite)) return 0;
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

Result<void> migrate(soci::session& sql, bool sqlite, Migrations migrations) {
    const int applied = applied_steps(sql, sqlite);
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

Result<void> migrate_alone(soci::session& sql, bool sqlite, Migrations migrations) {
    if (sqlite || migrations == Migrations::refuse) return migrate(sql, sqlite, migrations);
    std::string ignored;
    sql << "SELECT CAST(pg_advisory_lock(:lock) AS TEXT)", soci::use(migration_lock), soci::into(ignored);
    Result<void> done = migrate(sql, sqlite, migrations);
    sql << "SELECT CAST(pg_advisory_unlock(:lock) AS TEXT)", soci::use(migration_lock), soci::into(ignored);
    return done;
}

}  // namespace

int catalog_schema_version() {
    return static_cast<int>(catalog_steps.size());
}

CatalogDatabase::CatalogDatabase(CatalogAddress address)
    : address_(std::move(address)), pool_(std::make_unique<soci::connection_pool>(sessions)) {}
CatalogDatabase::~CatalogDatabase() = default;

Result<std::unique_ptr<CatalogDatabase>> CatalogDatabase::open(CatalogAddress address,
                                                               Migrations migrations) {
    std::error_code ignored;
    if (address.is_file() && migrations == Migrations::refuse &&
        !std::filesystem::exists(address.path(), ignored))
        return fail(ErrorKind::not_found, "there is no catalog at {}: start `observatory serve` once",
                    address.shown());
    if (address.is_file() && address.path().string().contains('"'))
        return fail(ErrorKind::invalid_input, "the path of the catalog must not hold a quotation mark: {}",
                    address.shown());
    std::unique_ptr<CatalogDatabase> database(new CatalogDatabase(std::move(address)));
    const CatalogAddress& at = database->address_;
    const auto open_session = [&](soci::session& sql) {
        if (!at.is_file()) return sql.open(soci::postgresql, at.connection());
        sql.open(soci::sqlite3, "db=\"" + at.path().string() + "\" timeout=" + std::string(busy_seconds));
        // A key that was shown to its user exists after a power cut. Not as an option of open(), which would
        // say it before it has learned to wait for others.
        sql << "PRAGMA synchronous = FULL";
        std::string mode;
        sql << "PRAGMA journal_mode = WAL", soci::into(mode);
        sql << "PRAGMA foreign_keys = ON";
    };
    try {
        open_session(database->pool_->at(0));
        OBS_TRY_VOID(migrate_alone(database->pool_->at(0), at.is_file(), migrations));
        for (std::size_t i = 1; i < sessions; ++i) open_session(database->pool_->at(i));
    } catch (const std::exception& error) {
        return std::unexpected(database->error_of("open " + at.shown(), error));
    }
    return database;
}

void CatalogDatabase::begin(soci::session& sql, Notice notice) const {
    // SQLite: a transaction that reads first and writes later would be refused when another one wrote in
    // between.
    const char* word = address_.is_file() ? "BEGIN IMMEDIATE" : "BEGIN";
    try {
        sql << word;
    } catch (const std::exception&) {
        if (!restored(sql)) throw;
        sql << word;
    }
    // First of all, so that changes wait for each other here and not for each other's rows.
    if (notice == Notice::others) sql << "UPDATE changes SET counter = counter + 1";
}

void CatalogDatabase::finish(soci::session& sql, std::string_view word) const {
    sql << std::string(word);
}

bool CatalogDatabase::restored(soci::session& sql) const {
    if (address_.is_file() || sql.is_connected()) return false;
    try {
        sql.reconnect();
        return true;
    } catch (const std::exception& error) {
        log::warning("catalog: cannot connect again: {}", address_.scrubbed(error.what()));
        return false;
    }
}

Error CatalogDatabase::error_of(std::string_view doing, const std::exception& error) const {
    return {ErrorKind::unavailable,
            fmt::format("catalog: cannot {}: {}", doing, address_.scrubbed(error.what()))};
}

Result<std::int64_t> CatalogDatabase::version() const {
    return read("ask for changes", [](soci::session& sql) -> Result<std::int64_t> {
        long long counter = 0;
        sql << "SELECT counter FROM changes", soci::into(counter);
        return counter;
    });
}

std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, ","));
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        if (end > 0) words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

std::string new_uuid() {
    std::array<unsigned char, 16> bytes;
    if (::getentropy(bytes.data(), bytes.size()) != 0)
        throw std::system_error(errno, std::generic_category(), "no random numbers");
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
    std::string text = to_hex(std::as_bytes(std::span(bytes)));
    for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
    return text;
}

}  // namespace obs
