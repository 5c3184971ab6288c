#include "jobs/export_work.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "base/failpoint.h"
#include "base/log.h"
#include "catalog/data_directory.h"
#include "jobs/parquet_columns.h"
#include "jobs/row_text.h"

namespace obs::jobs {

namespace {

constexpr std::size_t process_length = 8;
constexpr ScanBudget whole{.time = Nanos::hours(1), .rows = UINT64_MAX};
// Of the way before the first row is written.
constexpr int counted = 5;

int share(std::int64_t done, std::int64_t all) {
    if (all <= 0) return counted;
    return counted + static_cast<int>((99 - counted) * std::min(done, all) / all);
}

std::int64_t integer_in(const Cell& cell) {
    const auto* value = std::get_if<std::int64_t>(&cell);
    return value == nullptr ? 0 : *value;
}

// What a store says of itself is for the log.
Error of_store(Error error) {
    if (error.kind != ErrorKind::too_large && error.kind != ErrorKind::overloaded) return error;
    log::warning("jobs: the store: {}", error.message);
    return {error.kind,
            "the store would need more memory or time for it than it may have; narrow the window or ask for "
            "fewer fields",
            {}};
}
template <class T>
Result<T> of_store(Result<T> result) {
    if (!result) return std::unexpected(of_store(std::move(result).error()));
    return result;
}

GroupQuestion counts_of(const RowQuestion& question) {
    GroupQuestion counts(question.scope);
    counts.table = question.table;
    counts.window = question.window;
    counts.filter = question.filter;
    counts.up_to_seq = question.up_to_seq;
    counts.aggregates.push_back({.name = "rows"});
    counts.budget = whole;
    return counts;
}

}  // namespace

// What there is to write.
struct ExportWork::Rows {
    struct Project {
        std::string id;
        std::int64_t rows = 0;
    };
    std::vector<Project> projects;  // in the order in which they are written
    std::int64_t total = 0;         // at most the limit
};

ExportWork::ExportWork(Options options, SpanStore& store, Jobs& jobs, PlanOf plan)
    : options_(std::move(options)),
      process_(random_text(process_length)),
      store_(store),
      jobs_(jobs),
      plan_(std::move(plan)) {}

Result<JobEnd> ExportWork::run(const Job& job, Progress& progress, const Cancel& cancel) {
    ExportPlan plan = OBS_TRY(plan_(job));
    const std::filesystem::path path = options_.directory / fmt::format("{}.{}.part", job.id, process_);
    auto end = write(job, plan, path, progress, cancel);
    std::error_code gone;
    if (!end) std::filesystem::remove(path, gone);
    return end;
}

Result<JobEnd> ExportWork::write(const Job& job, ExportPlan& plan, const std::filesystem::path& path,
                                 Progress& progress, const Cancel& cancel) {
    ExportRoom room = options_.room;
    room.taken += static_cast<std::uint64_t>(OBS_TRY(jobs_.bytes(options_.data)));
    OBS_TRY_VOID(check_room(options_.directory, 0, room));
    const Rows rows = OBS_TRY(count(plan, cancel));
    progress.set(counted);
    std::int64_t written = rows.total;
    const std::uint64_t bytes = plan.format == ExportFormat::parquet
                                    ? OBS_TRY(write_parquet(plan, rows, path, progress, cancel, room))
                                    : OBS_TRY(write_text(plan, rows, path, progress, cancel, room, written));
    failpoint("export_written");
    const std::string name = job.id + extension_of(plan.format, plan.compression);
    OBS_TRY_VOID(rename_durably(path, options_.directory / name));
    failpoint("export_named");
    return JobEnd{.status = JobStatus::completed,
                  .rows = written,
                  .bytes = static_cast<std::int64_t>(bytes),
                  .file = name,
                  .error = {},
                  .result = {},
                  .expires = options_.clock() + options_.keep};
}

Result<ExportWork::Rows> ExportWork::count(ExportPlan& plan, const Cancel& cancel) {
    const auto most = static_cast<std::int64_t>(plan.question.limit);
    GroupQuestion by_project = counts_of(plan.question);
    by_project.group_by = {{find_column(plan.question.table, "project_id")}};
    const auto read = [&]() -> Result<Rows> {
        Rows rows;
        by_project.window = plan.question.window;
        const Table found = OBS_TRY(of_store(store_.groups(by_project, cancel)));
        for (const auto& row : found.rows) {
            const auto* id = std::get_if<std::string>(&row.at(0));
            rows.projects.push_back({id == nullptr ? std::string() : *id, integer_in(row.at(1))});
            rows.total += rows.projects.back().rows;
        }
        std::ranges::sort(rows.projects, std::greater{}, &Rows::Project::id);
        return rows;
    };
    Rows rows = OBS_TRY(read());
    if (rows.total > most) {
        OBS_TRY_VOID(narrow(plan.question, most, cancel));
        rows = OBS_TRY(read());
        rows.total = std::min(rows.total, most);
    }
    return rows;
}

// Moves the beginning of the window as far as the newest `most` rows allow: to the second.
Result<void> ExportWork::narrow(RowQuestion& question, std::int64_t most, const Cancel& cancel) {
    std::int64_t newer = 0;  // rows behind the part that is looked at
    Window part = question.window;
    for (const Nanos step : {Nanos::days(1), Nanos::hours(1), Nanos::seconds(1)}) {
        GroupQuestion over_time = counts_of(question);
        over_time.window = part;
        over_time.interval = step;
        Table found = OBS_TRY(of_store(store_.groups(over_time, cancel)));
        std::ranges::reverse(found.rows);
        for (const auto& row : found.rows) {
            const std::int64_t rows = integer_in(row.at(1));
            if (newer + rows < most) {
                newer += rows;
                continue;
            }
            const UnixNanos begin{integer_in(row.at(0))};
            part.from = std::max(part.from.value_or(begin), begin);
            part.to = std::min(part.to.value_or(begin + step), begin + step);
            break;
        }
    }
    question.window.from = part.from;
    return {};
}

Result<std::uint64_t> ExportWork::write_text(const ExportPlan& plan, const Rows& rows,
                                             const std::filesystem::path& path, Progress& progress,
                                             const Cancel& cancel, const ExportRoom& room,
                                             std::int64_t& written) {
    ExportFile file = OBS_TRY(ExportFile::create(path, plan.compression, room));
    RowText text(plan.format, plan.selection);
    std::string out;
    text.begin(out);
    written = 0;
    for (const Rows::Project& project : rows.projects) {
        RowQuestion question = plan.question;
        question.scope = Scope(plan.question.scope.org(), {project.id});
        question.columns = plan.selection.columns();
        question.budget = whole;
        question.limit = static_cast<std::size_t>(rows.total - written);
        if (question.limit == 0) break;
        Result<void> wrote{};
        const auto take = [&](const AnyBatch& batch) {
            const auto room_for = static_cast<std::size_t>(rows.total - written);
            const std::size_t count = std::min(size_of(batch), room_for);
            text.append(batch, count, out);
            written += static_cast<std::int64_t>(count);
            progress.set(share(written, rows.total));
            wrote = file.write(out);
            out.clear();
            failpoint("export_piece");
            return wrote.has_value() && !cancel.due();
        };
        OBS_TRY_VOID(of_store(store_.export_rows(question, take, cancel)));
        OBS_TRY_VOID(std::move(wrote));
        if (cancel.due()) return fail(ErrorKind::cancelled, "the export was given up");
    }
    text.end(out);
    OBS_TRY_VOID(file.write(out));
    return file.finish();
}

Result<std::uint64_t> ExportWork::write_parquet(const ExportPlan& plan, const Rows& rows,
                                                const std::filesystem::path& path, Progress& progress,
                                                const Cancel& cancel, const ExportRoom& room) {
    constexpr ParquetCodec codecs[] = {ParquetCodec::none, ParquetCodec::gzip, ParquetCodec::zstd};
    const ParquetFile file{path, OBS_TRY(parquet_columns(plan.selection)),
                           codecs[static_cast<std::size_t>(plan.compression)]};
    RowQuestion question = plan.question;
    Result<void> fits{};
    const auto going_on = [&](std::uint64_t read) {
        progress.set(share(static_cast<std::int64_t>(read), rows.total));
        std::error_code none_yet;
        const auto size = std::filesystem::file_size(path, none_yet);
        fits = check_room(options_.directory, none_yet ? 0 : size, room);
        return fits.has_value();
    };
    const Result<void> wrote = store_.write_parquet(question, file, going_on, cancel);
    OBS_TRY_VOID(std::move(fits));
    if (cancel.due()) return fail(ErrorKind::cancelled, "the export was given up");
    OBS_TRY_VOID(of_store(wrote));
    const std::uint64_t size = OBS_TRY(sync_file(path));
    // A small file is whole before anybody asked how it goes on.
    OBS_TRY_VOID(check_room(options_.directory, size, room));
    return size;
}

void ExportWork::clear(const Job& job) {
    std::error_code fault;
    std::vector<std::filesystem::path> made;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory, fault))
        if (const std::string name = entry.path().filename().string();
            name.starts_with(job.id + ".") && !name.ends_with(".part"))
            made.push_back(entry.path());
    for (const auto& path : made) std::filesystem::remove(path, fault);
    if (fault) log::warning("jobs: cannot remove the file of export {}: {}", job.id, fault.message());
}

void ExportWork::sweep() {
    std::error_code fault;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory, fault)) {
        const std::string name = entry.path().filename().string();
        const auto job = jobs_.find(name.substr(0, name.find('.')));
        if (!job) return log::warning("jobs: {}", job.error().message);
        const bool whole_file = *job && (*job)->status == JobStatus::completed && (*job)->file == name;
        if (!whole_file) std::filesystem::remove(entry.path(), fault);
    }
    if (fault) log::warning("jobs: cannot look through {}: {}", options_.directory.string(), fault.message());
}

}  // namespace obs::jobs
