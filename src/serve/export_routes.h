// Exports: made, watched, fetched and cancelled (contract 1.12).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "catalog/jobs.h"
#include "jobs/export_work.h"
#include "jobs/lane.h"
#include "serve/router.h"

namespace obs::serve {

// All outlive the routes.
struct ExportParts {
    Jobs& jobs;
    jobs::Lane& lane;
    const jobs::ExportWork& work;
    std::function<std::uint64_t()> visible_seq;  // LiveData::visible_seq
    bool parquet = true;                         // the store writes it
    std::size_t most_open = 10;                  // jobs of an organisation that are not over
};

std::vector<Route> export_routes(const ExportParts& parts);

}  // namespace obs::serve
