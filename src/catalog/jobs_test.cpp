#include "catalog/jobs.h"

#include <gtest/gtest.h>

#include "catalog/test_bed.h"

namespace obs {
namespace {

using test::Backend;
using test::CatalogBed;

constexpr UnixNanos now{1'800'000'000'000'000'000};
constexpr Nanos lease = Nanos::seconds(10);

class JobsTest : public testing::TestWithParam<Backend> {
protected:
    Job added(std::string_view kind = "export", UnixNanos created = now, std::string_view data = "here") {
        Job job;
        job.org = "default";
        job.kind = kind;
        job.data = data;
        job.request = R"({"format":"csv"})";
        job.created_by = "ann";
        job.projects = {"a", "b"};
        job.rights = {"read:content"};
        job.up_to_seq = 17;
        job.created = created;
        const auto kept = jobs_.add(job, 100);
        EXPECT_TRUE(kept) << kept.error().message;
        return *kept;
    }
    std::string taken(std::string_view owner, UnixNanos at = now) {
        const auto job = jobs_.take("here", owner, at, at + lease);
        if (!job) return job.error().message;
        return *job ? (*job)->id : "none";
    }
    Job known(const Job& job) { return jobs_.find("default", "export", job.id).value().value(); }

    CatalogBed bed_{GetParam()};
    Catalog catalog_ = bed_.open();
    Jobs jobs_{catalog_};
};
INSTANTIATE_TEST_SUITE_P(Backends, JobsTest, testing::Values(Backend::sqlite, Backend::postgresql),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(JobsTest, keepsWhatWasAsked) {
    const Job job = known(added());
    EXPECT_EQ(job.request, R"({"format":"csv"})");
    EXPECT_EQ(job.created_by, "ann");
    EXPECT_EQ(job.projects, (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(job.has_right("read:content"));
    EXPECT_EQ(job.up_to_seq, 17u);
    EXPECT_EQ(job.created, now);
    EXPECT_EQ(job.status, JobStatus::pending);
    EXPECT_FALSE(job.started || job.completed || job.expires || job.rows || job.bytes);
}

TEST_P(JobsTest, showsNothingOfOthers) {
    const Job job = added();
    EXPECT_FALSE(jobs_.find("umbrella", "export", job.id).value());
    EXPECT_FALSE(jobs_.find("default", "reprice", job.id).value());
    EXPECT_TRUE(jobs_.of("umbrella", "export").value().empty());
    EXPECT_EQ(jobs_.of("default", "export").value().size(), 1u);
    EXPECT_FALSE(jobs_.cancel("umbrella", job.id, now).value());
}

TEST_P(JobsTest, keepWhatIsKnownForWhoGoesOn) {
    added();
    const Job first = jobs_.take("here", "one", now, now + lease).value().value();
    EXPECT_TRUE(jobs_.note_result(first, R"({"planned":1})").value());
    const Job second = jobs_.take("here", "two", now + lease + lease, now + lease + lease).value().value();
    EXPECT_EQ(second.result, R"({"planned":1})");
    EXPECT_FALSE(jobs_.note_result(first, "{}").value()) << "it is another's";
    EXPECT_EQ(known(first).result, R"({"planned":1})");
}

TEST_P(JobsTest, areBoundedForAnOrganisation) {
    Job job;
    job.org = "default";
    job.kind = "export";
    job.data = "here";
    ASSERT_TRUE(jobs_.add(job, 2));
    const auto second = jobs_.add(job, 2);
    ASSERT_TRUE(second);
    const auto third = jobs_.add(job, 2);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, ErrorKind::overloaded);
    ASSERT_TRUE(jobs_.cancel("default", second->id, now).value());
    EXPECT_TRUE(jobs_.add(job, 2));
}

TEST_P(JobsTest, areTakenByOneOldestFirst) {
    const Job second = added("export", now + Nanos::seconds(1)), first = added("export", now);
    added("export", now, "elsewhere");
    EXPECT_EQ(taken("x"), first.id);
    EXPECT_EQ(taken("y"), second.id);
    EXPECT_EQ(taken("z"), "none");
    EXPECT_EQ(known(first).status, JobStatus::processing);
    EXPECT_EQ(known(first).attempts, 1);
    EXPECT_EQ(known(first).started, now);
}

TEST_P(JobsTest, areTakenFromAProcessThatIsGone) {
    const Job job = added();
    ASSERT_EQ(taken("x"), job.id);
    EXPECT_TRUE(jobs_.keep(job.id, "x", 40, now + Nanos::seconds(8) + lease).value());
    EXPECT_EQ(known(job).progress, 40);
    EXPECT_EQ(taken("y", now + Nanos::seconds(12)), "none");
    EXPECT_EQ(taken("y", now + Nanos::seconds(20)), job.id);
    EXPECT_EQ(known(job).attempts, 2);
    EXPECT_EQ(known(job).started, now);
    EXPECT_FALSE(jobs_.keep(job.id, "x", 50, now + Nanos::seconds(30)).value());
    EXPECT_FALSE(jobs_.finish(job.id, "x", {}, now).value());
    EXPECT_TRUE(jobs_.finish(job.id, "y", {}, now).value());
}

TEST_P(JobsTest, endOnce) {
    const Job job = added();
    ASSERT_EQ(taken("x"), job.id);
    const JobEnd end{.status = JobStatus::completed,
                     .rows = 12,
                     .bytes = 3400,
                     .file = "it.csv",
                     .error = {},
                     .result = R"({"a":1})",
                     .expires = now + Nanos::days(7)};
    EXPECT_TRUE(jobs_.finish(job.id, "x", end, now + Nanos::seconds(5)).value());
    EXPECT_FALSE(jobs_.finish(job.id, "x", {.status = JobStatus::failed, .error = "late"}, now).value());
    const Job done = known(job);
    EXPECT_EQ(done.status, JobStatus::completed);
    EXPECT_EQ(done.progress, 100);
    EXPECT_EQ(done.rows, 12);
    EXPECT_EQ(done.bytes, 3400);
    EXPECT_EQ(done.file, "it.csv");
    EXPECT_EQ(done.result, R"({"a":1})");
    EXPECT_EQ(done.completed, now + Nanos::seconds(5));
    EXPECT_EQ(jobs_.bytes("here").value(), 3400);
    EXPECT_FALSE(jobs_.cancel("default", job.id, now).value());
}

TEST_P(JobsTest, areCancelledUntilTheyAreOver) {
    const Job waiting = added(), begun = added("export", now - Nanos::seconds(1));
    ASSERT_EQ(taken("x"), begun.id);
    EXPECT_TRUE(jobs_.cancel("default", waiting.id, now).value());
    EXPECT_TRUE(jobs_.cancel("default", begun.id, now).value());
    EXPECT_FALSE(jobs_.keep(begun.id, "x", 50, now + lease).value());
    EXPECT_EQ(taken("y", now + Nanos::hours(1)), "none");
    EXPECT_FALSE(jobs_.cancel("default", begun.id, now).value());
}

TEST_P(JobsTest, comeBackWhenTheirProcessStops) {
    const Job job = added();
    ASSERT_EQ(taken("x"), job.id);
    ASSERT_TRUE(jobs_.give_back(job.id, "x"));
    EXPECT_EQ(known(job).status, JobStatus::pending);
    EXPECT_EQ(taken("y"), job.id);
    EXPECT_EQ(known(job).attempts, 1);
}

TEST_P(JobsTest, expireOnceAndAreForgotten) {
    const Job job = added();
    ASSERT_EQ(taken("x"), job.id);
    ASSERT_TRUE(jobs_.finish(job.id, "x", {.bytes = 5, .expires = now + Nanos::days(7)}, now));
    EXPECT_TRUE(jobs_.expire("here", now + Nanos::days(6)).value().empty());
    EXPECT_TRUE(jobs_.expire("elsewhere", now + Nanos::days(8)).value().empty());
    EXPECT_EQ(jobs_.expire("here", now + Nanos::days(8)).value().size(), 1u);
    EXPECT_TRUE(jobs_.expire("here", now + Nanos::days(8)).value().empty());
    EXPECT_EQ(known(job).status, JobStatus::expired);
    EXPECT_EQ(jobs_.bytes("here").value(), 0);
    ASSERT_TRUE(jobs_.forget(now - Nanos::days(1)));
    EXPECT_TRUE(jobs_.find(job.id).value());
    ASSERT_TRUE(jobs_.forget(now + Nanos::days(1)));
    EXPECT_FALSE(jobs_.find(job.id).value());
}

}  // namespace
}  // namespace obs
