#include "serve/job_requests.h"

#include <utility>

#include "serve/account_json.h"
#include "serve/rights.h"

namespace obs::serve {

ApiResult<Job> add_job(Jobs& jobs, jobs::Lane& lane, std::size_t most_open, const Call& call, Job job) {
    job.org = call.principal->org;
    job.data = lane.options().data;
    job.created_by = call.principal->subject;
    job.created = call.now;
    auto added = jobs.add(std::move(job), most_open);
    if (!added && added.error().kind == ErrorKind::overloaded) {
        ApiError error{ErrorCode::too_many_requests, added.error().message};
        error.headers.add("retry-after", "10");
        return std::unexpected(std::move(error));
    }
    Job made = OBS_ANSWER(std::move(added));
    lane.added(made);
    return made;
}

ApiResult<std::optional<Job>> job_in_path(const Jobs& jobs, std::string_view kind, const Call& call) {
    const std::string_view id = call.parameter("job_id");
    if (!is_id(id)) return std::optional<Job>();
    auto job = OBS_ANSWER(jobs.find(call.principal->org, kind, id));
    if (job && !sees_all_of(*call.principal, job->projects)) job.reset();
    return job;
}

void stop_job(jobs::Lane& lane, Job job) {
    job.status = JobStatus::cancelled;
    lane.cancelled(job);
}

}  // namespace obs::serve
