// What exports and jobs that price anew share: how a client makes one, and finds it again.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "catalog/jobs.h"
#include "jobs/lane.h"
#include "serve/router.h"

namespace obs::serve {

// Hands the job to the lane, in the name of the caller. 429 when the organisation has `most_open` that are
// not over.
ApiResult<Job> add_job(Jobs& jobs, jobs::Lane& lane, std::size_t most_open, const Call& call, Job job);

// The one that the path names as `:job_id`, when it is of this kind and the caller sees all that it touches.
ApiResult<std::optional<Job>> job_in_path(const Jobs& jobs, std::string_view kind, const Call& call);

// Tells the lane of a job that was cancelled.
void stop_job(jobs::Lane& lane, Job job);

}  // namespace obs::serve
