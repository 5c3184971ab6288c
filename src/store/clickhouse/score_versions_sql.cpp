#include "store/clickhouse/score_versions_sql.h"

#include <algorithm>
#include <limits>

namespace obs {

std::vector<WrittenScores> by_project(const ScoreVersions& versions) {
    std::vector<WrittenScores> projects;
    for (const auto& [key, version] : versions.newest) {
        if (projects.empty() || projects.back().org != key.org || projects.back().project != key.project)
            projects.push_back({key.org, key.project, {}, {}, {}});
        WrittenScores& written = projects.back();
        written.ids.push_back(key.id);
        if (!version.withdrawn) continue;
        written.withdrawn.push_back(key.id);
        written.withdrawn_by.push_back(static_cast<std::int64_t>(version.seq));
    }
    return projects;
}

Statement old_versions_question(const WrittenScores& written) {
    return {
        "SELECT score_id, toInt64(max(seq)) AS last, toInt64(max((seq, toUnixTimestamp64Nano(ts))).2) "
        "FROM scores WHERE org_id = {p0:String} AND project_id = {p1:String} AND "
        "score_id IN {p2:Array(String)} GROUP BY score_id "
        "HAVING count() > 1 OR has({p3:Array(String)}, score_id)",
        {written.org, written.project, written.ids, written.withdrawn}};
}

std::optional<Statement> old_versions_removal(const WrittenScores& written, const Table& found) {
    std::vector<std::string> ids;
    std::vector<std::int64_t> sequences, times;
    for (const auto& row : found.rows) {
        ids.push_back(std::get<std::string>(row.at(0)));
        sequences.push_back(std::get<std::int64_t>(row.at(1)));
        times.push_back(std::get<std::int64_t>(row.at(2)));
        const auto taken_back = std::ranges::find(written.withdrawn, ids.back());
        if (taken_back == written.withdrawn.end()) continue;
        sequences.back() =
            written.withdrawn_by[static_cast<std::size_t>(taken_back - written.withdrawn.begin())];
        times.back() = std::numeric_limits<std::int64_t>::max();
    }
    if (ids.empty()) return std::nullopt;
    return Statement{
        "DELETE FROM scores WHERE org_id = {p0:String} AND project_id = {p1:String} AND "
        "score_id IN {p2:Array(String)} AND (toInt64(seq), toUnixTimestamp64Nano(ts)) < "
        "(arrayElement({p3:Array(Int64)}, indexOf({p2:Array(String)}, score_id)), "
        "arrayElement({p4:Array(Int64)}, indexOf({p2:Array(String)}, score_id)))",
        {written.org, written.project, std::move(ids), std::move(sequences), std::move(times)},
        // A patch, as amendments are: a mutation would write the parts anew.
        {"lightweight_delete_mode = 'lightweight_update_force'"}};
}

}  // namespace obs
