// For tests: an empty catalog in a SQLite file, or in a database of a PostgreSQL server that the test program
// starts for itself and ends with it.
#pragma once

#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "catalog/scratch.h"

namespace obs::test {

enum class Backend { sqlite, postgresql };
inline std::string name_of(Backend backend) {
    return backend == Backend::sqlite ? "sqlite" : "postgresql";
}

class CatalogBed {
public:
    explicit CatalogBed(Backend backend);

    Catalog open(Migrations migrations = Migrations::apply) const;
    CatalogAddress address() const;
    void run_sql(const std::string& statement) const;
    // PostgreSQL: cuts every connection to the database, as a restart of the server does.
    void cut_connections() const;

private:
    Scratch scratch_;
    std::string url_;  // empty: SQLite
};

}  // namespace obs::test
