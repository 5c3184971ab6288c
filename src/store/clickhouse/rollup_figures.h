// Figures of model calls from rollups and spans: one statement reads all pieces of the window and adds them
// up.
#pragma once

#include "store/clickhouse/rollups.h"
#include "store/clickhouse/transport.h"
#include "store/figures.h"

namespace obs {

// `question` must have been checked. Buckets that are not finished are read from spans.
Result<FigureTables> answer_figures(const FigureQuestion& question, Transport& transport,
                                    const ClickHouseRollups& rollups, const Cancel& cancel);

// The pieces, with these buckets cut out of those that are read from rollups.
std::vector<FigurePiece> without(const std::vector<FigurePiece>& pieces,
                                 const std::set<RollupBucket>& buckets);

}  // namespace obs
