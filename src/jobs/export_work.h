// Exports: rows of one table into a file of the data directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "jobs/export_file.h"
#include "jobs/export_format.h"
#include "jobs/lane.h"
#include "query/row_json.h"

namespace obs::jobs {

struct ExportPlan {
    // Which rows: the newest `limit` of them. Its order and columns do not matter.
    RowQuestion question;
    query::Selection selection;
    ExportFormat format = ExportFormat::csv;
    Compression compression = Compression::none;
};

class ExportWork final : public Work {
public:
    // What a job asked for, in the words of the API; the same each time.
    using PlanOf = std::function<Result<ExportPlan>(const Job&)>;
    struct Options {
        std::filesystem::path directory;  // of the files; nothing else lies in it
        std::string data;
        ExportRoom room{};
        Nanos keep = Nanos::days(7);
        Clock clock = system_now;
    };

    // All outlive this.
    ExportWork(Options options, SpanStore& store, Jobs& jobs, PlanOf plan);

    // Rows come project by project, each newest first.
    Result<JobEnd> run(const Job& job, Progress& progress, const Cancel& cancel) override;
    void clear(const Job& job) override;

    // Removes files that no job speaks of: what a process left that is gone. Before the lane starts.
    void sweep();
    // Of a completed job.
    std::filesystem::path path_of(const Job& job) const { return options_.directory / job.file; }

private:
    struct Rows;
    Result<JobEnd> write(const Job& job, ExportPlan& plan, const std::filesystem::path& path,
                         Progress& progress, const Cancel& cancel);
    Result<Rows> count(ExportPlan& plan, const Cancel& cancel);
    Result<void> narrow(RowQuestion& question, std::int64_t most, const Cancel& cancel);
    Result<std::uint64_t> write_text(const ExportPlan& plan, const Rows& rows,
                                     const std::filesystem::path& path, Progress& progress,
                                     const Cancel& cancel, const ExportRoom& room, std::int64_t& written);
    Result<std::uint64_t> write_parquet(const ExportPlan& plan, const Rows& rows,
                                        const std::filesystem::path& path, Progress& progress,
                                        const Cancel& cancel, const ExportRoom& room);

    const Options options_;
    const std::string process_;  // in the names of unfinished files: two processes never write the same one
    SpanStore& store_;
    Jobs& jobs_;
    const PlanOf plan_;
};

}  // namespace obs::jobs
