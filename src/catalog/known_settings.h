// What projects decide for themselves, in memory: who needs it on the way of an answer or of data waits for
// no disk.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/each_second.h"
#include "model/question.h"

namespace obs {

// Thread-safe. A change counts at once after refresh(), and within a second when another process made it.
// While the catalog does not answer, the last settings stay in force.
class KnownSettings {
public:
    // Reads everything. `catalog` must outlive this object.
    static Result<std::unique_ptr<KnownSettings>> load(const Catalog& catalog);
    ~KnownSettings();

    std::vector<std::pair<Project, ProjectSettings>> all() const;
    // Of the days of a scope: the zone that all its projects have, archived ones aside; UTC when they differ
    // or there is none.
    std::string time_zone(const Scope& scope) const;

    // Takes over what changed in the catalog.
    Result<void> refresh();
    // From a thread of its own, each second, until this object ends.
    void keep_fresh();

private:
    struct State;
    explicit KnownSettings(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
    EachSecond refresher_;  // must be last
};

}  // namespace obs
