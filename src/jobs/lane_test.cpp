#include "jobs/lane.h"

#include <atomic>
#include <deque>
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "catalog/scratch.h"

namespace obs::jobs {
namespace {

using namespace std::chrono_literals;
constexpr auto patience = 20s;

// Runs what the test says; knows who began.
class TestWork final : public Work {
public:
    using Run = std::function<Result<JobEnd>(const Job&, Progress&, const Cancel&)>;
    explicit TestWork(Run run) : run_(std::move(run)) {}

    Result<JobEnd> run(const Job& job, Progress& progress, const Cancel& cancel) override {
        ++begun;
        return run_(job, progress, cancel);
    }
    void clear(const Job&) override { ++cleared; }

    std::atomic<int> begun = 0, cleared = 0;

private:
    Run run_;
};

Result<JobEnd> wait_for_stop(const Job&, Progress& progress, const Cancel& cancel) {
    progress.set(40);
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait(lock, cancel.stop, [] { return false; });
    return fail(ErrorKind::cancelled, "given up");
}

class Heard final : public LiveEvents {
public:
    void publish(LiveEvent event) override {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
    }
    std::vector<LiveEvent> events() {
        const std::lock_guard lock(mutex_);
        return events_;
    }

private:
    std::mutex mutex_;
    std::vector<LiveEvent> events_;
};

class LaneTest : public testing::Test {
protected:
    std::unique_ptr<Lane> lane(Work& work, unsigned threads = 1, Nanos lease = Nanos::seconds(30)) {
        return std::make_unique<Lane>(Lane::Options{.data = "here",
                                                    .threads = threads,
                                                    .look_every = 20ms,
                                                    .keep_every = 10ms,
                                                    .lease = lease,
                                                    .clock = [this] { return UnixNanos{clock_.load()}; }},
                                      jobs_, std::map<std::string, Work*, std::less<>>{{"test", &work}},
                                      &heard_);
    }
    Job add(std::string_view kind = "test") {
        Job job;
        job.org = "default";
        job.kind = kind;
        job.data = "here";
        job.projects = {"p"};
        job.created = {clock_.load()};
        return jobs_.add(job, 1000).value();
    }
    Job now(const Job& job) { return jobs_.find(job.id).value().value(); }
    bool eventually(const std::function<bool()>& condition) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::yield();
        }
        return true;
    }
    bool becomes(const Job& job, JobStatus status) {
        return eventually([&] { return now(job).status == status; });
    }

    Scratch scratch_;
    Catalog catalog_ = Catalog::open(scratch_.path() / "catalog", Migrations::apply).value();
    Jobs jobs_{catalog_};
    Heard heard_;
    std::atomic<std::int64_t> clock_ = 1'800'000'000'000'000'000;
};

TEST_F(LaneTest, worksOnWhatIsAdded) {
    TestWork work([](const Job&, Progress&, const Cancel&) -> Result<JobEnd> { return JobEnd{.rows = 12}; });
    const auto working = lane(work);
    working->start();
    const Job job = add();
    working->added(job);
    ASSERT_TRUE(becomes(job, JobStatus::completed));
    EXPECT_EQ(now(job).rows, 12);
    EXPECT_EQ(now(job).progress, 100);
    ASSERT_TRUE(eventually([&] { return heard_.events().size() >= 3; }));
    const LiveEvent last = heard_.events().back();
    EXPECT_EQ(last.org, "default");
    EXPECT_EQ(last.project, "p");
    EXPECT_NE(last.data.find(R"("status":"completed","progress_percent":100,"trace_count":12)"),
              std::string::npos)
        << last.data;
}

TEST_F(LaneTest, findsWhatAnotherServerAdded) {
    TestWork work([](const Job&, Progress&, const Cancel&) -> Result<JobEnd> { return JobEnd{}; });
    const auto working = lane(work);
    working->start();
    EXPECT_TRUE(becomes(add(), JobStatus::completed));
}

struct FailureCase {
    ErrorKind kind;
    std::string_view told;
};

TEST_F(LaneTest, tellsReasonsThatHelpAndNoOthers) {
    const FailureCase cases[] = {
        {ErrorKind::overloaded, "secret table spans_17"},
        {ErrorKind::invalid_input, "secret table spans_17"},
        {ErrorKind::unavailable, "the store or the disk did not answer; ask again"},
        {ErrorKind::internal, "an internal fault; the server's log has more"},
    };
    for (const FailureCase& test : cases) {
        TestWork work([&](const Job&, Progress&, const Cancel&) -> Result<JobEnd> {
            return fail(test.kind, "secret table spans_17");
        });
        const auto working = lane(work);
        working->start();
        const Job job = add();
        ASSERT_TRUE(becomes(job, JobStatus::failed));
        EXPECT_EQ(now(job).error, test.told);
    }
}

TEST_F(LaneTest, cancelsAtOnceWhatItWorksOn) {
    TestWork work(wait_for_stop);
    const auto working = lane(work);
    working->start();
    const Job job = add();
    ASSERT_TRUE(eventually([&] { return working->progress_of(job) == 40; }));
    ASSERT_TRUE(jobs_.cancel("default", job.id, {}).value());
    working->cancelled(job);
    EXPECT_TRUE(eventually([&] { return work.cleared == 1; }));
    EXPECT_EQ(now(job).status, JobStatus::cancelled);
}

TEST_F(LaneTest, noticesThatAnotherServerCancelled) {
    TestWork work(wait_for_stop);
    const auto working = lane(work);
    working->start();
    const Job job = add();
    ASSERT_TRUE(eventually([&] { return work.begun == 1; }));
    ASSERT_TRUE(jobs_.cancel("default", job.id, {}).value());
    EXPECT_TRUE(eventually([&] { return work.cleared == 1; }));
}

TEST_F(LaneTest, givesBackWhatItStopsIn) {
    TestWork work(wait_for_stop);
    const Job job = add();
    {
        const auto working = lane(work);
        working->start();
        ASSERT_TRUE(eventually([&] { return work.begun == 1; }));
    }
    EXPECT_EQ(now(job).status, JobStatus::pending);
    EXPECT_EQ(work.cleared, 0);
    TestWork next([](const Job&, Progress&, const Cancel&) -> Result<JobEnd> { return JobEnd{}; });
    const auto working = lane(next);
    working->start();
    EXPECT_TRUE(becomes(job, JobStatus::completed));
}

TEST_F(LaneTest, keepsWhatItWorksOnFromOthers) {
    TestWork slow(wait_for_stop), other(wait_for_stop);
    const auto first = lane(slow), second = lane(other);
    first->start();
    const Job job = add();
    ASSERT_TRUE(eventually([&] { return slow.begun == 1; }));
    second->start();
    for (int i = 0; i < 5; ++i) {
        const std::int64_t before = clock_;
        clock_ += 20'000'000'000;
        // The first says that it is there before so much time passes again.
        ASSERT_TRUE(eventually([&] {
            std::size_t told = 0;
            for (const LiveEvent& event : heard_.events()) told += event.at.since_epoch > before ? 1 : 0;
            return told >= 2;
        }));
    }
    EXPECT_EQ(other.begun, 0);
}

TEST_F(LaneTest, takesOverFromAProcessThatIsGone) {
    const Job job = add();
    ASSERT_TRUE(jobs_.take("here", "gone", {clock_.load()}, {clock_.load() + 1'000'000'000}).value());
    TestWork work([](const Job&, Progress&, const Cancel&) -> Result<JobEnd> { return JobEnd{}; });
    const auto working = lane(work);
    working->start();
    EXPECT_EQ(now(job).status, JobStatus::processing);
    clock_ += 2'000'000'000;
    EXPECT_TRUE(becomes(job, JobStatus::completed));
}

TEST_F(LaneTest, givesUpAJobThatEndsEveryProcess) {
    const Job job = add();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(jobs_.take("here", "gone", {clock_.load()}, {clock_.load() + 1}).value());
        clock_ += 10;
    }
    TestWork work(wait_for_stop);
    const auto working = lane(work);
    working->start();
    ASSERT_TRUE(becomes(job, JobStatus::failed));
    EXPECT_EQ(work.begun, 0);
}

TEST_F(LaneTest, refusesKindsThatNobodyKnows) {
    TestWork work(wait_for_stop);
    const auto working = lane(work);
    working->start();
    EXPECT_TRUE(becomes(add("dance"), JobStatus::failed));
}

TEST_F(LaneTest, removesWhatHasExpired) {
    const Job job = add();
    ASSERT_TRUE(jobs_.take("here", "x", {clock_.load()}, {clock_.load() + 1'000'000'000}).value());
    ASSERT_TRUE(
        jobs_.finish(job.id, "x", {.expires = UnixNanos{clock_.load() - 1}}, {clock_.load()}).value());
    TestWork work(wait_for_stop);
    const auto working = lane(work);
    working->start();
    EXPECT_TRUE(becomes(job, JobStatus::expired));
    EXPECT_TRUE(eventually([&] { return work.cleared == 1; }));
}

TEST_F(LaneTest, givesEachJobToOneOfManyThreadsAndServers) {
    std::mutex mutex;
    std::multiset<std::string> done;
    TestWork work([&](const Job& job, Progress&, const Cancel&) -> Result<JobEnd> {
        const std::lock_guard lock(mutex);
        done.insert(job.id);
        return JobEnd{};
    });
    const auto first = lane(work, 3), second = lane(work, 3);
    std::vector<Job> jobs;
    for (int i = 0; i < 30; ++i) jobs.push_back(add());
    first->start();
    second->start();
    for (const Job& job : jobs) ASSERT_TRUE(becomes(job, JobStatus::completed));
    EXPECT_EQ(done.size(), jobs.size());
    for (const Job& job : jobs) EXPECT_EQ(done.count(job.id), 1u);
}

}  // namespace
}  // namespace obs::jobs
