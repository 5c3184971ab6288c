#include "store/score_versions.h"

#include <vector>

namespace obs {

ScoreVersions versions_of(const ScoreBatch& batch) {
    ScoreVersions versions;
    std::map<ScoreVersions::Key, std::size_t> row_of;
    for (std::size_t row = 0; row < batch.size(); ++row) {
        if (batch.score_id[row].empty()) continue;
        const ScoreVersions::Key key{std::string(batch.org_id[row]), std::string(batch.project_id[row]),
                                     std::string(batch.score_id[row])};
        const ScoreVersion version{batch.seq[row], batch.ts[row], batch.name[row].empty()};
        ScoreVersion& newest = versions.newest.try_emplace(key, version).first->second;
        // Equal ones come from one request: what it said last.
        if (version.before(newest)) continue;
        newest = version;
        row_of[key] = row;
    }
    std::vector<bool> counts(batch.size());
    for (const auto& [key, row] : row_of) counts[row] = !batch.name[row].empty();
    for (std::size_t row = 0; row < batch.size(); ++row)
        if (counts[row] || batch.score_id[row].empty()) append_row(versions.rows, batch, row);
    return versions;
}

}  // namespace obs
