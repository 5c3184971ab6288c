// Which projects an organisation has rows of, in each table. Rows lie by project and time, so that the newest
// of known projects are found at once, but those of unknown ones only by looking at all.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/batches.h"
#include "model/question.h"

namespace obs {

// Any thread.
class KnownProjects {
public:
    // Tells organisation, project and table (the number of its TableId) of everything that is stored, each at
    // least once.
    using Load = std::function<Result<Table>()>;

    // Before rows are written, so that whoever can see them knows their project.
    void note(const AnyBatch& rows);
    // Ascending. Loads once, when it is first asked.
    Result<std::vector<std::string>> of(TableId table, const std::string& org, const Load& load);

private:
    std::mutex mutex_;
    std::map<std::pair<TableId, std::string>, std::set<std::string, std::less<>>>
        projects_;  // by organisation
    bool loaded_ = false;
};

}  // namespace obs
