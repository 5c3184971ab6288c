// The database under the catalog, for the files that keep one kind of fact in it: sessions, transactions, and
// how other processes learn of a change. Only .cpp files of this folder include it; SOCI stays behind them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>

#include <soci/soci.h>

#include "base/log.h"
#include "base/result.h"
#include "catalog/address.h"
#include "catalog/catalog.h"

namespace obs {

// Thread-safe. SQL is written so that SQLite and PostgreSQL both read it; values travel as bound parameters.
class CatalogDatabase {
public:
    static Result<std::unique_ptr<CatalogDatabase>> open(CatalogAddress address, Migrations migrations);
    ~CatalogDatabase();

    const CatalogAddress& address() const { return address_; }

    // `work(soci::session&)` returns a Result. What the library throws becomes `unavailable`, with `doing` in
    // its message: `catalog: cannot list users: …`.
    template <class Work>
    std::invoke_result_t<Work, soci::session&> read(std::string_view doing, Work work) const {
        return guarded(doing, [&](soci::session& sql) { return work(sql); }, Retry::once);
    }
    // The same in a transaction that a refusal undoes too. Changes come one after another, in all processes:
    // what `work` has seen stays true until it ends. Others notice (Catalog::version).
    template <class Work>
    std::invoke_result_t<Work, soci::session&> change(std::string_view doing, Work work) {
        return in_transaction(doing, std::move(work), Notice::others);
    }
    // In a transaction as well, for what nobody needs to hear of: when a key was used last, a new session.
    template <class Work>
    std::invoke_result_t<Work, soci::session&> note(std::string_view doing, Work work) {
        return in_transaction(doing, std::move(work), Notice::nobody);
    }

    Result<std::int64_t> version() const;

private:
    enum class Retry : bool { never, once };
    enum class Notice : bool { nobody, others };

    class Lease;
    explicit CatalogDatabase(CatalogAddress address);
    // Begins, again over a new connection when the old one was cut.
    void begin(soci::session& sql, Notice notice) const;
    void finish(soci::session& sql, std::string_view word) const;
    bool restored(soci::session& sql) const;
    Error error_of(std::string_view doing, const std::exception& error) const;

    template <class Work>
    auto guarded(std::string_view doing, Work work, Retry retry) const
        -> std::invoke_result_t<Work, soci::session&> {
        soci::session sql(*pool_);
        try {
            return work(sql);
        } catch (const std::exception& error) {
            if (retry == Retry::never || !restored(sql)) return std::unexpected(error_of(doing, error));
        }
        try {
            return work(sql);
        } catch (const std::exception& error) {
            return std::unexpected(error_of(doing, error));
        }
    }

    template <class Work>
    auto in_transaction(std::string_view doing, Work work, Notice notice)
        -> std::invoke_result_t<Work, soci::session&> {
        return guarded(
            doing,
            [&](soci::session& sql) {
                begin(sql, notice);
                try {
                    auto result = work(sql);
                    finish(sql, result ? "COMMIT" : "ROLLBACK");
                    return result;
                } catch (...) {
                    try {
                        finish(sql, "ROLLBACK");
                    } catch (const std::exception& fault) {
                        // The connection is gone, and the transaction with it.
                        log::debug("catalog: nothing to roll back: {}", fault.what());
                    }
                    throw;
                }
            },
            Retry::never);
    }

    CatalogAddress address_;
    std::unique_ptr<soci::connection_pool> pool_;
};

// Lists of words without commas lie in one column: `read:traces,read:costs`.
std::string joined(const std::vector<std::string>& words);
std::vector<std::string> split_words(std::string_view text);

// Random, version 4: `2f1c…-4…`.
std::string new_uuid();

}  // namespace obs
