#include "catalog/jobs.h"

#include <algorithm>

#include "catalog/database.h"

namespace obs {
namespace {

constexpr std::string_view status_names[] = {"pending", "processing", "completed",
                                             "failed",  "cancelled",  "expired"};
// Of one organisation and kind; more are not shown.
constexpr int most_listed = 10'000;

struct JobRow {
    Job job;
    std::string status, projects, rights;
    long long up_to = 0, created = 0, started = 0, completed = 0, expires = 0, progress = 0, rows = 0,
              bytes = 0, attempts = 0;
    soci::indicator has_started = soci::i_null, has_completed = soci::i_null, has_expires = soci::i_null,
                    has_rows = soci::i_null, has_bytes = soci::i_null;

    static std::optional<UnixNanos> time(long long at, soci::indicator there) {
        return there == soci::i_ok ? std::optional(UnixNanos{at}) : std::nullopt;
    }
    static std::optional<std::int64_t> count(long long number, soci::indicator there) {
        return there == soci::i_ok ? std::optional<std::int64_t>(number) : std::nullopt;
    }
    Job value() const {
        Job copy = job;
        copy.status = job_status_from(status).value_or(JobStatus::failed);
        copy.projects = split_words(projects);
        copy.rights = split_words(rights);
        copy.up_to_seq = static_cast<std::uint64_t>(up_to);
        copy.created = {created};
        copy.started = time(started, has_started);
        copy.completed = time(completed, has_completed);
        copy.expires = time(expires, has_expires);
        copy.progress = static_cast<int>(progress);
        copy.rows = count(rows, has_rows);
        copy.bytes = count(bytes, has_bytes);
        copy.attempts = static_cast<int>(attempts);
        return copy;
    }
};

// `a` and `b` are the text parameters `:a` and `:b` of `condition`, `at` is `:at`; every condition has all
// three.
std::vector<Job> select_jobs(soci::session& sql, std::string_view condition, const std::string& a,
                             const std::string& b, long long at = 0) {
    JobRow row;
    soci::statement statement =
        (sql.prepare
             << "SELECT id, org, kind, data, status, request, created_by, projects, rights, up_to, created, "
                "started, completed, expires, progress, row_count, bytes, file, error, result, attempts FROM "
                "jobs WHERE "
             << condition,
         soci::into(row.job.id), soci::into(row.job.org), soci::into(row.job.kind), soci::into(row.job.data),
         soci::into(row.status), soci::into(row.job.request), soci::into(row.job.created_by),
         soci::into(row.projects), soci::into(row.rights), soci::into(row.up_to), soci::into(row.created),
         soci::into(row.started, row.has_started), soci::into(row.completed, row.has_completed),
         soci::into(row.expires, row.has_expires), soci::into(row.progress),
         soci::into(row.rows, row.has_rows), soci::into(row.bytes, row.has_bytes), soci::into(row.job.file),
         soci::into(row.job.error), soci::into(row.job.result), soci::into(row.attempts), soci::use(a, "a"),
         soci::use(b, "b"), soci::use(at, "at"));
    statement.execute();
    std::vector<Job> found;
    while (statement.fetch()) found.push_back(row.value());
    return found;
}

std::optional<Job> one(std::vector<Job> found) {
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

constexpr std::string_view waits = "(status = 'pending' OR (status = 'processing' AND lease < :at))";

}  // namespace

std::string_view name_of(JobStatus status) {
    return status_names[static_cast<std::size_t>(status)];
}

std::optional<JobStatus> job_status_from(std::string_view word) {
    const auto* const found = std::ranges::find(status_names, word);
    if (found == std::end(status_names)) return std::nullopt;
    return static_cast<JobStatus>(found - std::begin(status_names));
}

bool Job::has_right(std::string_view permission) const {
    return std::ranges::find(rights, permission) != rights.end();
}

Result<Job> Jobs::add(Job job, std::size_t most) {
    // As a change, so that two that come at once are counted one after the other.
    return catalog_.database().change("add a job", [&](soci::session& sql) -> Result<Job> {
        long long open = 0;
        sql << "SELECT COUNT(*) FROM jobs WHERE org = :org AND kind = :kind AND status IN ('pending', "
               "'processing')",
            soci::into(open), soci::use(job.org), soci::use(job.kind);
        if (open >= static_cast<long long>(most))
            return fail(ErrorKind::overloaded,
                        "{} jobs of the organisation are not done yet; that is as many as may be", open);
        job.id = new_uuid();
        const std::string projects = joined(job.projects), rights = joined(job.rights);
        const long long up_to = static_cast<long long>(job.up_to_seq), created = job.created.since_epoch;
        sql << "INSERT INTO jobs (id, org, kind, data, status, request, created_by, projects, rights, up_to, "
               "created, "
               "progress, file, error, result, attempts, owner, lease) VALUES (:id, :org, :kind, :data, "
               "'pending', "
               ":request, :created_by, :projects, :rights, :up_to, :created, 0, '', '', '', 0, '', 0)",
            soci::use(job.id), soci::use(job.org), soci::use(job.kind), soci::use(job.data),
            soci::use(job.request), soci::use(job.created_by), soci::use(projects), soci::use(rights),
            soci::use(up_to), soci::use(created);
        return job;
    });
}

Result<std::vector<Job>> Jobs::of(std::string_view org, std::string_view kind) const {
    return catalog_.database().read("list jobs", [&](soci::session& sql) -> Result<std::vector<Job>> {
        return select_jobs(
            sql,
            fmt::format("org = :a AND kind = :b AND created >= :at ORDER BY created DESC, id LIMIT {}",
                        most_listed),
            std::string(org), std::string(kind));
    });
}

Result<std::optional<Job>> Jobs::find(std::string_view org, std::string_view kind,
                                      std::string_view id) const {
    auto job = find(id);
    if (job && *job && ((*job)->org != org || (*job)->kind != kind)) return std::optional<Job>();
    return job;
}

Result<std::optional<Job>> Jobs::find(std::string_view id) const {
    return catalog_.database().read("find a job", [&](soci::session& sql) -> Result<std::optional<Job>> {
        return one(
            select_jobs(sql, "id = :a AND id = :b AND created >= :at", std::string(id), std::string(id)));
    });
}

Result<std::vector<Job>> Jobs::with_status(std::string_view data, JobStatus status) const {
    return catalog_.database().read("list jobs", [&](soci::session& sql) -> Result<std::vector<Job>> {
        return select_jobs(sql, "data = :a AND status = :b AND created >= :at ORDER BY created, id",
                           std::string(data), std::string(name_of(status)));
    });
}

Result<std::optional<Job>> Jobs::take(std::string_view data, std::string_view owner, UnixNanos now,
                                      UnixNanos lease) {
    return catalog_.database().note("take a job", [&](soci::session& sql) -> Result<std::optional<Job>> {
        const std::string of(data);
        std::optional<Job> job = one(select_jobs(
            sql, fmt::format("data = :a AND data = :b AND {} ORDER BY created, id LIMIT 1", waits), of, of,
            now.since_epoch));
        if (!job) return job;
        const std::string to(owner);
        const long long at = now.since_epoch, until = lease.since_epoch;
        // Another process may have been quicker; the one that changes the row has it.
        soci::statement taking =
            (sql.prepare
                 << "UPDATE jobs SET status = 'processing', owner = :owner, lease = :lease, progress = 0, "
                    "started = COALESCE(started, :begun), attempts = attempts + 1 WHERE id = :id AND "
                 << waits,
             soci::use(to, "owner"), soci::use(until, "lease"), soci::use(at, "begun"),
             soci::use(job->id, "id"), soci::use(at, "at"));
        taking.execute(true);
        if (taking.get_affected_rows() == 0) return std::optional<Job>();
        job->status = JobStatus::processing;
        job->progress = 0;
        job->attempts += 1;
        if (!job->started) job->started = now;
        return job;
    });
}

Result<bool> Jobs::keep(std::string_view id, std::string_view owner, int progress, UnixNanos lease) {
    return catalog_.database().note("keep a job", [&](soci::session& sql) -> Result<bool> {
        const std::string which(id), who(owner);
        const long long done = progress, until = lease.since_epoch;
        soci::statement keeping =
            (sql.prepare << "UPDATE jobs SET progress = :progress, lease = :lease WHERE id = :id "
                            "AND owner = :owner AND status = 'processing'",
             soci::use(done), soci::use(until), soci::use(which), soci::use(who));
        keeping.execute(true);
        return keeping.get_affected_rows() != 0;
    });
}

Result<bool> Jobs::note_result(const Job& job, std::string_view result) {
    return catalog_.database().note("note what a job found", [&](soci::session& sql) -> Result<bool> {
        const std::string found(result);
        const long long attempt = job.attempts;
        soci::statement noting =
            (sql.prepare << "UPDATE jobs SET result = :result WHERE id = :id AND attempts = :attempt AND "
                            "status = 'processing'",
             soci::use(found), soci::use(job.id), soci::use(attempt));
        noting.execute(true);
        return noting.get_affected_rows() != 0;
    });
}

Result<bool> Jobs::finish(std::string_view id, std::string_view owner, const JobEnd& end, UnixNanos now) {
    return catalog_.database().note("finish a job", [&](soci::session& sql) -> Result<bool> {
        const std::string which(id), who(owner), status(name_of(end.status));
        const long long at = now.since_epoch, rows = end.rows.value_or(0), bytes = end.bytes.value_or(0),
                        expires = end.expires.value_or(UnixNanos{}).since_epoch;
        const auto there = [](bool known) { return known ? soci::i_ok : soci::i_null; };
        soci::indicator has_rows = there(end.rows.has_value()), has_bytes = there(end.bytes.has_value()),
                        has_expires = there(end.expires.has_value());
        soci::statement finishing =
            (sql.prepare
                 << "UPDATE jobs SET status = :status, completed = :completed, row_count = :row_count, "
                    "bytes = :bytes, expires = :expires, file = :file, error = :error, result = :result, "
                    "progress = CASE WHEN :ended = 'completed' THEN 100 ELSE progress END WHERE id = :id AND "
                    "owner = :owner AND status = 'processing'",
             soci::use(status, "status"), soci::use(at, "completed"), soci::use(rows, has_rows, "row_count"),
             soci::use(bytes, has_bytes, "bytes"), soci::use(expires, has_expires, "expires"),
             soci::use(end.file, "file"), soci::use(end.error, "error"), soci::use(end.result, "result"),
             soci::use(status, "ended"), soci::use(which, "id"), soci::use(who, "owner"));
        finishing.execute(true);
        return finishing.get_affected_rows() != 0;
    });
}

Result<void> Jobs::give_back(std::string_view id, std::string_view owner) {
    return catalog_.database().note("give a job back", [&](soci::session& sql) -> Result<void> {
        const std::string which(id), who(owner);
        // It was interrupted by us and not by a fault of its own.
        sql << "UPDATE jobs SET status = 'pending', owner = '', lease = 0, attempts = attempts - 1 WHERE id "
               "= :id AND "
               "owner = :owner AND status = 'processing'",
            soci::use(which), soci::use(who);
        return {};
    });
}

Result<bool> Jobs::cancel(std::string_view org, std::string_view id, UnixNanos now) {
    return catalog_.database().note("cancel a job", [&](soci::session& sql) -> Result<bool> {
        const std::string of(org), which(id);
        const long long at = now.since_epoch;
        soci::statement cancelling =
            (sql.prepare
                 << "UPDATE jobs SET status = 'cancelled', completed = :at WHERE id = :id AND org = :org AND "
                    "status IN ('pending', 'processing')",
             soci::use(at), soci::use(which), soci::use(of));
        cancelling.execute(true);
        return cancelling.get_affected_rows() != 0;
    });
}

Result<std::vector<Job>> Jobs::expire(std::string_view data, UnixNanos now) {
    return catalog_.database().note("expire jobs", [&](soci::session& sql) -> Result<std::vector<Job>> {
        const std::string of(data);
        std::vector<Job> old = select_jobs(
            sql,
            "data = :a AND data = :b AND status = 'completed' AND expires IS NOT NULL AND expires <= :at", of,
            of, now.since_epoch);
        for (Job& job : old) {
            sql << "UPDATE jobs SET status = 'expired' WHERE id = :id", soci::use(job.id);
            job.status = JobStatus::expired;
        }
        return old;
    });
}

Result<void> Jobs::forget(UnixNanos before) {
    return catalog_.database().note("forget jobs", [&](soci::session& sql) -> Result<void> {
        const long long at = before.since_epoch;
        sql << "DELETE FROM jobs WHERE completed < :at AND status IN ('failed', 'cancelled', 'expired')",
            soci::use(at);
        return {};
    });
}

Result<std::int64_t> Jobs::bytes(std::string_view data) const {
    return catalog_.database().read("add up jobs", [&](soci::session& sql) -> Result<std::int64_t> {
        const std::string of(data);
        long long sum = 0;
        sql << "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM jobs WHERE data = :data AND status = "
               "'completed'",
            soci::into(sum), soci::use(of);
        return sum;
    });
}

}  // namespace obs
