// What an export is asked for (contract 1.12): the body of POST /api/v1/exports as a plan.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "catalog/jobs.h"
#include "catalog/tokens.h"
#include "jobs/export_work.h"
#include "serve/api_error.h"

namespace obs::serve {

// The words of the body that a job is shown with.
struct ExportWords {
    std::string table = "traces";
    jobs::ExportFormat format = jobs::ExportFormat::csv;
    jobs::Compression compression = jobs::Compression::none;
};

struct ExportRequest {
    ExportWords words;
    jobs::ExportPlan plan;
    // Permissions without which nobody may have the file.
    std::vector<std::string> rights;
};

// `body` as the client sent it; refuses what the principal may not have. Times that are relative count from
// `now`.
ApiResult<ExportRequest> export_request(std::string_view body, const Principal& principal, UnixNanos now);

// Of a body that was taken before.
ExportWords export_words(std::string_view body);

// The same plan again, for a job that was made from such a request.
Result<jobs::ExportPlan> export_plan_of(const Job& job);

// A caller with the rights that the job was given.
Principal principal_of(const Job& job);

}  // namespace obs::serve
