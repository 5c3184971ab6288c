// Old versions of scores leave the table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/question.h"
#include "store/score_versions.h"
#include "store/sql/statement.h"

namespace obs {

// Ids of one project that were just written.
struct WrittenScores {
    std::string org, project;
    std::vector<std::string> ids;
    std::vector<std::string> withdrawn;      // those of `ids` that were taken back, and
    std::vector<std::int64_t> withdrawn_by;  // the sequence that did
};
std::vector<WrittenScores> by_project(const ScoreVersions& versions);

// Which of them have rows that count no more, and the sequence and time of the version that counts.
Statement old_versions_question(const WrittenScores& written);
// Takes away what the answer to the question (of three columns) names; nothing when it names none.
std::optional<Statement> old_versions_removal(const WrittenScores& written, const Table& found);

}  // namespace obs
