// Work that takes minutes and outlives its request: exports, and prices applied to history. A job is taken by
// one process at a time, which says every few seconds that it still works on it; when it stops to do so, by
// the next.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "catalog/catalog.h"

namespace obs {

enum class JobStatus : std::uint8_t { pending, processing, completed, failed, cancelled, expired };
std::string_view name_of(JobStatus status);
std::optional<JobStatus> job_status_from(std::string_view word);

struct Job {
    std::string id;       // a UUID
    std::string org;      // whose rows it is about
    std::string kind;     // `export`, `reprice`
    std::string data;     // id of the data directory that has the rows
    std::string request;  // what was asked for, JSON
    // Who asked, what they might see then, and the last ingest sequence there was.
    std::string created_by;
    std::vector<std::string> projects;  // empty: all
    std::vector<std::string> rights;    // permissions
    std::uint64_t up_to_seq = 0;
    UnixNanos created;

    JobStatus status = JobStatus::pending;
    std::optional<UnixNanos> started{}, completed{}, expires{};
    int progress = 0;  // per cent
    std::optional<std::int64_t> rows{}, bytes{};
    std::string file{};    // name in the directory of exports
    std::string error{};   // why it failed
    std::string result{};  // JSON; of a job that goes on, what note_result() said
    int attempts = 0;      // how often it was begun

    bool over() const { return status != JobStatus::pending && status != JobStatus::processing; }
    bool has_right(std::string_view permission) const;
};

// How a job ended.
struct JobEnd {
    JobStatus status = JobStatus::completed;  // or failed
    std::optional<std::int64_t> rows{}, bytes{};
    std::string file{}, error{}, result{};
    std::optional<UnixNanos> expires{};
};

// Thread-safe; every call may wait for a disk or a network. Errors are those of Catalog.
class Jobs {
public:
    // The catalog outlives this.
    explicit Jobs(Catalog& catalog) : catalog_(catalog) {}

    // `overloaded` when the organisation has `most` jobs of this kind that are not over.
    Result<Job> add(Job job, std::size_t most);
    // Newest first.
    Result<std::vector<Job>> of(std::string_view org, std::string_view kind) const;
    Result<std::optional<Job>> find(std::string_view org, std::string_view kind, std::string_view id) const;
    // Of every organisation, with this status.
    Result<std::vector<Job>> with_status(std::string_view data, JobStatus status) const;
    // Whatever is known of it.
    Result<std::optional<Job>> find(std::string_view id) const;

    // The oldest job of these data that waits, or whose process is gone: from now on it is `owner`'s, until
    // `lease`.
    Result<std::optional<Job>> take(std::string_view data, std::string_view owner, UnixNanos now,
                                    UnixNanos lease);
    // False when it is not the owner's any more: it was cancelled, or another process took it.
    Result<bool> keep(std::string_view id, std::string_view owner, int progress, UnixNanos lease);
    // Likewise.
    Result<bool> finish(std::string_view id, std::string_view owner, const JobEnd& end, UnixNanos now);
    // What is known so far (Job::result), for who goes on with it when its process is gone. False when this
    // attempt is not the last one any more.
    Result<bool> note_result(const Job& job, std::string_view result);
    // Back to those that wait: its process stops.
    Result<void> give_back(std::string_view id, std::string_view owner);
    // False when it was over.
    Result<bool> cancel(std::string_view org, std::string_view id, UnixNanos now);
    // Completed jobs whose file has had its time; each is told of once.
    Result<std::vector<Job>> expire(std::string_view data, UnixNanos now);
    // Forgets jobs that were over before.
    Result<void> forget(UnixNanos before);
    // Of all files of these data.
    Result<std::int64_t> bytes(std::string_view data) const;

private:
    Catalog& catalog_;
};

}  // namespace obs
