#include "store/clickhouse/migrations.h"

namespace obs {

namespace migration_files {
#include "clickhouse_migration_files.inc"
}  // namespace migration_files

std::span<const Migration> clickhouse_migrations() {
    return migration_files::all;
}

std::vector<std::string_view> statements_of(std::string_view sql) {
    constexpr std::string_view end = ";\n";
    constexpr std::string_view blank = " \n";
    std::vector<std::string_view> statements;
    while (!sql.empty()) {
        // Comments and blank lines before a statement are not part of it.
        const std::size_t first = sql.find_first_not_of(blank);
        if (first == std::string_view::npos) break;
        sql.remove_prefix(first);
        if (sql.starts_with("--")) {
            sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
            continue;
        }
        const std::size_t size = std::min(sql.find(end), sql.size());
        statements.push_back(sql.substr(0, size));
        sql.remove_prefix(std::min(size + end.size(), sql.size()));
    }
    return statements;
}

}  // namespace obs
