// Scores with an id are versions: of those with the same id in a project, the last one counts.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "model/batches.h"

namespace obs {

// Of two versions the later one counts: by ingest sequence, and within a request by the time it was given.
struct ScoreVersion {
    std::uint64_t seq = 0;
    UnixNanos ts{};
    bool withdrawn = false;  // a version without a name takes the score back: nothing of it is left
    bool before(const ScoreVersion& other) const { return std::tie(seq, ts) < std::tie(other.seq, other.ts); }
};

struct ScoreVersions {
    struct Key {
        std::string org, project, id;
        auto operator<=>(const Key&) const = default;
    };
    std::map<Key, ScoreVersion> newest;  // of every id of the batch
    ScoreBatch rows;                     // what there is to store: one row of each id, and all without one
};
ScoreVersions versions_of(const ScoreBatch& batch);

}  // namespace obs
