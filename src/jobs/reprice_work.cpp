#include "jobs/reprice_work.h"

#include <algorithm>
#include <utility>

#include <simdjson.h>

#include "base/failpoint.h"
#include "base/log.h"

namespace obs::jobs {

namespace {

// Results are looked at for so long.
constexpr Nanos keep = Nanos::days(365);

// Where each of the three readings ends, per cent.
constexpr int planned_at = 25, changed_at = 90, done_at = 99;

Result<std::int64_t> calls_of(SpanStore& store, const RowQuestion& question, const Cancel& cancel) {
    GroupQuestion counts(question.scope);
    counts.window = question.window;
    counts.filter = question.filter;
    counts.aggregates.push_back({.name = "calls"});
    counts.budget = question.budget;
    const Table found = OBS_TRY(store.groups(counts, cancel));
    const auto* calls = found.rows.empty() ? nullptr : std::get_if<std::int64_t>(&found.rows.at(0).at(0));
    return calls == nullptr ? 0 : *calls;
}

RepriceProgress share(Progress& progress, std::int64_t all, int from, int to) {
    return [&progress, all, from, to](std::int64_t calls) {
        const std::int64_t of = std::max<std::int64_t>(all, 1);
        progress.set(from + static_cast<int>((to - from) * std::min(calls, of) / of));
    };
}

std::string object_of(const RepriceDiff& diff) {
    std::string text;
    JsonWriter json(text);
    json.begin_object();
    write_diff(json, diff);
    json.end_object();
    return text;
}

std::string result_of(const std::string& planned, const std::string& stored = {}) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("planned").raw(planned);
    if (!stored.empty()) json.key("stored").raw(stored);
    json.end_object();
    return text;
}

// Tells when it ends, however it ends.
struct Told {
    const std::function<void()>& tell;
    bool wanted = false;
    ~Told() {
        if (wanted && tell) tell();
    }
};

}  // namespace

std::string reprice_result(std::string_view result, std::string_view member) {
    simdjson::dom::parser parser;
    simdjson::dom::element root, found;
    const simdjson::padded_string text(result);
    if (parser.parse(text).get(root) != simdjson::SUCCESS) return {};
    if (root[member].get(found) != simdjson::SUCCESS) return {};
    return simdjson::minify(found);
}

// The diff of before. Kept with the job before the first row is changed: afterwards nobody can tell.
Result<std::string> RepriceWork::planned(const Job& job, const RowQuestion& question, const Cancel& cancel,
                                         const RepriceProgress& progress) {
    std::string known = reprice_result(job.result, "planned");
    if (!known.empty()) return known;
    RowQuestion then = question;
    then.up_to_seq = job.up_to_seq;
    std::string made =
        object_of(OBS_TRY(reprice(parts_.store, then, parts_.prices, Reader::job, {}, progress, cancel)));
    if (!OBS_TRY(parts_.jobs.note_result(job, result_of(made))))
        return fail(ErrorKind::cancelled, "the job is another's");
    failpoint("reprice_planned");
    return made;
}

Result<JobEnd> RepriceWork::run(const Job& job, Progress& progress, const Cancel& cancel) {
    const RowQuestion question = reprice_question(OBS_TRY(parts_.plan(job)));
    const std::int64_t calls = OBS_TRY(calls_of(parts_.store, question, cancel));
    const std::string plan = OBS_TRY(planned(job, question, cancel, share(progress, calls, 0, planned_at)));
    Told told{parts_.changed};
    std::int64_t rows = 0;
    const auto change = [&](const std::string& project, SpanBatch costs) -> Result<void> {
        if (cancel.due()) return fail(ErrorKind::cancelled, "given up");
        rows += static_cast<std::int64_t>(costs.size());
        Amendments amendments;
        amendments.org = job.org;
        amendments.project = project;
        amendments.costs = std::move(costs);
        told.wanted = true;
        OBS_TRY_VOID(parts_.change(std::move(amendments)));
        failpoint("reprice_changed");
        return {};
    };
    // Rows that came meanwhile are looked at as well: those of the last moment may have the old price.
    OBS_TRY_VOID(reprice(parts_.store, question, parts_.prices, Reader::job, change,
                         share(progress, calls, planned_at, changed_at), cancel));
    RowQuestion then = question;
    then.up_to_seq = job.up_to_seq;
    const RepriceDiff stored = OBS_TRY(reprice(parts_.store, then, parts_.prices, Reader::job, {},
                                               share(progress, calls, changed_at, done_at), cancel));
    if (stored.total.changed != 0)
        log::info("jobs: {} calls changed while they were priced anew and keep what they cost",
                  stored.total.changed);
    return JobEnd{.rows = rows, .result = result_of(plan, object_of(stored)), .expires = job.created + keep};
}

}  // namespace obs::jobs
