#include "jobs/lane.h"

#include <utility>

#include "base/json_writer.h"
#include "base/log.h"
#include "catalog/data_directory.h"

namespace obs::jobs {

namespace {

constexpr std::size_t owner_length = 16;
constexpr auto clean_every = std::chrono::seconds(30);

// What the operator must know is in the log; who asked gets what they can act on.
std::string told(const Error& error) {
    switch (error.kind) {
        case ErrorKind::invalid_input:
        case ErrorKind::too_large:
        case ErrorKind::overloaded: return error.message;
        case ErrorKind::unavailable: return "the store or the disk did not answer; ask again";
        default: return "an internal fault; the server's log has more";
    }
}

}  // namespace

Lane::Lane(Options options, Jobs& jobs, std::map<std::string, Work*, std::less<>> work, LiveEvents* events)
    : options_(std::move(options)),
      owner_(random_text(owner_length)),
      jobs_(jobs),
      work_(std::move(work)),
      events_(events) {}

void Lane::start() {
    for (unsigned i = 0; i < options_.threads; ++i)
        threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    threads_.emplace_back([this](const std::stop_token& stop) { keep(stop); });
}

void Lane::stop() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
}

void Lane::added(const Job& job) {
    tell(job);
    {
        const std::lock_guard lock(mutex_);
        news_ = true;
    }
    changed_.notify_all();
}

void Lane::cancelled(const Job& job) {
    tell(job);
    const std::lock_guard lock(mutex_);
    if (const auto running = running_.find(job.id); running != running_.end())
        running->second->stop.request_stop();
}

int Lane::progress_of(const Job& job) const {
    const std::lock_guard lock(mutex_);
    const auto running = running_.find(job.id);
    return running == running_.end() ? job.progress : running->second->progress.get();
}

void Lane::work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const UnixNanos now = options_.clock();
        auto job = jobs_.take(options_.data, owner_, now, now + options_.lease);
        if (!job) log::warning("jobs: {}", job.error().message);
        if (job && *job) {
            run(**std::move(job), stop);
            continue;
        }
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, options_.look_every, [this] { return news_; });
        news_ = false;
    }
}

void Lane::run(Job job, const std::stop_token& stop) {
    const auto running = std::make_shared<Running>();
    running->job = job;
    {
        const std::lock_guard lock(mutex_);
        running_[job.id] = running;
    }
    tell(job);
    const std::stop_callback pass_on(stop, [&] { running->stop.request_stop(); });
    Work* work = work_of(job);
    Result<JobEnd> ended =
        work == nullptr ? fail(ErrorKind::invalid_input, "this server knows no jobs of kind {}", job.kind)
        : job.attempts > options_.most_attempts
            ? fail(ErrorKind::overloaded, "it was begun {} times, and the server ended each time",
                   options_.most_attempts)
            : work->run(job, running->progress, {.stop = running->stop.get_token()});
    end(job, std::move(ended), stop);
    const std::lock_guard lock(mutex_);
    running_.erase(job.id);
}

void Lane::end(const Job& job, Result<JobEnd> ended, const std::stop_token& stop) {
    JobEnd last;
    if (ended) {
        last = *std::move(ended);
    } else if (ended.error().kind == ErrorKind::cancelled) {
        // Cancelled jobs say so already, and one that another process has is not ours to speak of.
        if (!stop.stop_requested()) return clear_if_over(job);
        if (const auto back = jobs_.give_back(job.id, owner_); !back)
            log::warning("jobs: {}", back.error().message);
        return;
    } else {
        log::warning("jobs: {} {} failed: {}", job.kind, job.id, ended.error().message);
        last = {.status = JobStatus::failed, .error = told(ended.error())};
    }
    const auto finished = jobs_.finish(job.id, owner_, last, options_.clock());
    // The lease runs out, and it is begun again.
    if (!finished) log::warning("jobs: {}", finished.error().message);
    if (!finished || !*finished) return clear_if_over(job);
    Job told_of = job;
    told_of.status = last.status;
    told_of.rows = last.rows;
    told_of.progress = last.status == JobStatus::completed ? 100 : job.progress;
    tell(told_of);
}

// Of a job that another process took over, what was left behind is that one's.
void Lane::clear_if_over(const Job& job) {
    const auto known = jobs_.find(job.id);
    if (!known) return log::warning("jobs: {}", known.error().message);
    const bool wanted = *known && (!(*known)->over() || (*known)->status == JobStatus::completed);
    if (Work* work = work_of(job); work != nullptr && !wanted) work->clear(job);
}

void Lane::keep(const std::stop_token& stop) {
    auto clean_at = std::chrono::steady_clock::now();
    while (!stop.stop_requested()) {
        keep_running();
        if (std::chrono::steady_clock::now() >= clean_at) {
            clean();
            clean_at = std::chrono::steady_clock::now() + clean_every;
        }
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, options_.keep_every, [] { return false; });
    }
}

void Lane::keep_running() {
    std::vector<std::shared_ptr<Running>> running;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, each] : running_) running.push_back(each);
    }
    for (const auto& each : running) {
        each->job.progress = each->progress.get();
        const auto kept =
            jobs_.keep(each->job.id, owner_, each->job.progress, options_.clock() + options_.lease);
        if (!kept)
            log::warning("jobs: {}", kept.error().message);
        else if (!*kept)
            each->stop.request_stop();
        else
            tell(each->job);
    }
}

void Lane::clean() {
    const UnixNanos now = options_.clock();
    const auto expired = jobs_.expire(options_.data, now);
    if (!expired) return log::warning("jobs: {}", expired.error().message);
    for (const Job& job : *expired) {
        if (Work* work = work_of(job)) work->clear(job);
        tell(job);
    }
    if (const auto forgotten = jobs_.forget(now - options_.forget_after); !forgotten)
        log::warning("jobs: {}", forgotten.error().message);
}

Work* Lane::work_of(const Job& job) const {
    const auto found = work_.find(job.kind);
    return found == work_.end() ? nullptr : found->second;
}

void Lane::tell(const Job& job) {
    if (events_ == nullptr) return;
    LiveEvent event{.type = LiveEventType::export_job_status,
                    .org = job.org,
                    .project = job.projects.size() == 1 ? job.projects.front() : std::string(),
                    .at = options_.clock(),
                    .data = {}};
    JsonWriter json(event.data);
    json.begin_object().field("job_id", job.id).field("org_id", job.org).field("kind", job.kind);
    json.field("status", name_of(job.status)).field("progress_percent", job.progress);
    if (job.rows) json.field("trace_count", *job.rows);
    json.field("timestamp", rfc3339(event.at)).end_object();
    events_->publish(std::move(event));
}

}  // namespace obs::jobs
