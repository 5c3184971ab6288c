#include "jobs/export_work.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "catalog/scratch.h"
#include "store/memory/memory_store.h"
#include "store/test_rows.h"

namespace obs::jobs {
namespace {

using obs::test::batch_of;
using obs::test::span;
using obs::test::TestRow;
using namespace std::chrono_literals;

constexpr UnixNanos now = obs::test::noon + Nanos::hours(1);

class ExportWorkTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(store_.migrate());
        std::filesystem::create_directory(directory_);
    }
    void write(std::vector<TestRow> rows) {
        for (TestRow& row : rows) {
            row.set("org_id", "acme").seq(++seq_);
            if (row.get("project_id") == nullptr) row.project("p");
        }
        ASSERT_TRUE(store_.write(batch_of(rows), fmt::format("w{}", seq_)));
    }
    Result<ExportPlan> plan(const Job& job) {
        ExportPlan plan{.question = RowQuestion(Scope(job.org, job.projects)),
                        .selection = query::Selection::exactly(
                                         TableId::spans, std::vector<std::string>{"project_id", "span_name"},
                                         query::Content::shown)
                                         .value(),
                        .format = format_};
        plan.question.limit = limit_;
        plan.question.up_to_seq = job.up_to_seq;
        return plan;
    }
    Result<JobEnd> run(std::stop_token stop = {}) {
        ExportWork work({.directory = directory_, .data = "here", .room = room_, .clock = [] { return now; }},
                        store_, jobs_, [this](const Job& job) { return plan(job); });
        Job job;
        job.id = "job";
        job.org = "acme";
        job.up_to_seq = up_to_ == 0 ? seq_ : up_to_;
        Progress progress;
        return work.run(job, progress, {.stop = std::move(stop)});
    }
    // The rows of the file, `project/span`, separated by blanks.
    std::string exported() {
        const auto end = run();
        if (!end) return end.error().message;
        EXPECT_EQ(end->bytes, static_cast<std::int64_t>(std::filesystem::file_size(directory_ / end->file)));
        std::ifstream file(directory_ / end->file);
        std::string line, rows;
        std::int64_t count = -1;
        while (std::getline(file, line)) {
            if (count++ < 0) continue;
            line.pop_back();
            line[line.find(',')] = '/';
            rows += (rows.empty() ? "" : " ") + line;
        }
        EXPECT_EQ(end->rows, count);
        return rows;
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_), {}));
    }

    Scratch scratch_;
    const std::filesystem::path directory_ = scratch_.path() / "exports";
    Catalog catalog_ = Catalog::open(scratch_.path() / "catalog", Migrations::apply).value();
    Jobs jobs_{catalog_};
    MemoryStore store_;
    ExportRoom room_{.keep_free = 0};
    ExportFormat format_ = ExportFormat::csv;
    std::size_t limit_ = 1000;
    std::uint64_t seq_ = 0, up_to_ = 0;
};

TEST_F(ExportWorkTest, writesOneProjectAfterTheOtherNewestFirst) {
    write({span("1").project("a").at(1s), span("2").project("b").at(2s), span("3").project("a").at(3s)});
    EXPECT_EQ(exported(), "b/2 a/3 a/1");
}

TEST_F(ExportWorkTest, writesNothingOfOthers) {
    write({span("mine").at(1s)});
    TestRow foreign = span("foreign").set("org_id", "umbrella").project("p").seq(1);
    ASSERT_TRUE(store_.write(batch_of(std::vector{foreign}), "foreign"));
    EXPECT_EQ(exported(), "p/mine");
}

TEST_F(ExportWorkTest, writesARowlessFile) {
    EXPECT_EQ(exported(), "");
}

TEST_F(ExportWorkTest, leavesOutWhatCameLater) {
    write({span("early").at(2s)});
    up_to_ = seq_;
    write({span("late").at(1s)});
    EXPECT_EQ(exported(), "p/early");
}

// The newest rows, wherever they lie: days, hours and seconds before the last one.
TEST_F(ExportWorkTest, writesTheNewestUpToTheLimit) {
    write({span("1").project("a").at(-50h), span("2").project("b").at(-49h)});
    write({span("3").project("b").at(-3h), span("4").project("a").at(-90min)});
    write({span("5").project("a").at(-20s), span("6").project("b").at(-10s), span("7").project("a").at(-9s)});
    const std::pair<std::size_t, std::string_view> cases[] = {
        {1, "a/7"},
        {2, "b/6 a/7"},
        {3, "b/6 a/7 a/5"},
        {4, "b/6 a/7 a/5 a/4"},
        {5, "b/6 b/3 a/7 a/5 a/4"},
        {6, "b/6 b/3 b/2 a/7 a/5 a/4"},
        {7, "b/6 b/3 b/2 a/7 a/5 a/4 a/1"},
    };
    for (const auto& [limit, rows] : cases) {
        limit_ = limit;
        EXPECT_EQ(exported(), rows) << limit;
    }
}

TEST_F(ExportWorkTest, failsWithAReasonWhenThereIsNoRoom) {
    write({span("1").at(1s)});
    room_.most = 10;
    const auto end = run();
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().kind, ErrorKind::overloaded);
    EXPECT_EQ(files(), 0u);
}

TEST_F(ExportWorkTest, saysThatParquetNeedsTheEngine) {
    format_ = ExportFormat::parquet;
    const auto end = run();
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().kind, ErrorKind::invalid_input);
    EXPECT_NE(end.error().message.find("csv, json or jsonl"), std::string::npos);
}

TEST_F(ExportWorkTest, leavesNothingWhenItIsGivenUp) {
    write({span("1").at(1s)});
    std::stop_source stop;
    stop.request_stop();
    const auto end = run(stop.get_token());
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().kind, ErrorKind::cancelled) << end.error().message;
    EXPECT_EQ(files(), 0u);
}

TEST_F(ExportWorkTest, sweepsFilesOfJobsThatAreNot) {
    Job job;
    job.org = "default";
    job.kind = "export";
    job.data = "here";
    const Job whole = jobs_.add(job, 10).value();
    ASSERT_TRUE(jobs_.take("here", "x", now, now + Nanos::seconds(10)).value());
    ASSERT_TRUE(jobs_.finish(whole.id, "x", {.file = whole.id + ".csv"}, now).value());
    const Job begun = jobs_.add(job, 10).value();
    for (const std::string& name :
         {whole.id + ".csv", whole.id + ".abc.part", begun.id + ".csv", std::string("x")})
        std::ofstream(directory_ / name) << "x";
    ExportWork({.directory = directory_, .data = "here"}, store_, jobs_, {}).sweep();
    EXPECT_EQ(files(), 1u);
    EXPECT_TRUE(std::filesystem::exists(directory_ / (whole.id + ".csv")));
}

TEST_F(ExportWorkTest, clearsTheFileOfAJobAndNoOther) {
    for (const char* name : {"a.csv.gz", "ab.csv"}) std::ofstream(directory_ / name) << "x";
    Job job;
    job.id = "a";
    ExportWork({.directory = directory_, .data = "here"}, store_, jobs_, {}).clear(job);
    EXPECT_EQ(files(), 1u);
    EXPECT_TRUE(std::filesystem::exists(directory_ / "ab.csv"));
}

}  // namespace
}  // namespace obs::jobs
