// A feedback or an evaluation as a client posts it, as a row of scores.
#pragma once

#include <string_view>

#include "model/batches.h"
#include "query/scores.h"
#include "serve/api_error.h"
#include "serve/router.h"

namespace obs::serve {

enum class ScoreKind : std::uint8_t { feedback, evaluation };

struct PostedScore {
    query::ScoreTarget target;
    std::string project;  // as the body names it; empty: it does not
    ScoreBatch row;       // one, without organisation and project
};
// `trace` is the one in the path, else empty: then the body names the target. The id is the client's, or
// follows from what is scored, by what and by whom: who says the same again replaces it.
ApiResult<PostedScore> read_score(ScoreKind kind, std::string_view trace, const Call& call);

// Who posted it: an attribute of the row.
inline constexpr std::string_view posted_by = "posted_by";

}  // namespace obs::serve
