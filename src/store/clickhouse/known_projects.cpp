#include "store/clickhouse/known_projects.h"

#include <optional>
#include <utility>

namespace obs {

void KnownProjects::note(const AnyBatch& rows) {
    const TableId table = table_of(rows);
    std::visit(
        [&](const auto& batch) {
            std::optional<std::pair<std::uint32_t, std::uint32_t>> last;
            for (std::size_t row = 0; row < batch.size(); ++row) {
                const std::pair now{batch.org_id.code(row), batch.project_id.code(row)};
                if (last == now) continue;
                last = now;
                const std::lock_guard lock(mutex_);
                projects_[{table, std::string(batch.org_id[row])}].emplace(batch.project_id[row]);
            }
        },
        rows);
}

Result<std::vector<std::string>> KnownProjects::of(TableId table, const std::string& org, const Load& load) {
    std::unique_lock lock(mutex_);
    if (!loaded_) {
        lock.unlock();
        // What is written meanwhile is noted, and nothing is ever taken away.
        const Table stored = OBS_TRY(load());
        lock.lock();
        for (const auto& row : stored.rows)
            projects_[{static_cast<TableId>(std::get<std::int64_t>(row.at(2))),
                       std::get<std::string>(row.at(0))}]
                .insert(std::get<std::string>(row.at(1)));
        loaded_ = true;
    }
    const auto found = projects_.find({table, org});
    if (found == projects_.end()) return std::vector<std::string>();
    return std::vector<std::string>(found->second.begin(), found->second.end());
}

}  // namespace obs
