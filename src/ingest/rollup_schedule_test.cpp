#include "ingest/rollup_schedule.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ingest/rollups.h"

namespace obs {
namespace {

using std::chrono::seconds;

// Seconds after noon of a day.
constexpr UnixNanos noon{1'767'960'000'000'000'000};
constexpr UnixNanos at(std::int64_t second) {
    return noon + Nanos::seconds(second);
}
constexpr std::int64_t minute = 60, hour = 3600, day = 86'400;

class Schedule : public testing::Test {
protected:
    void changed(std::vector<UnixNanos> starts) { schedule.changed(starts); }
    void changed(std::int64_t second) { changed({at(second)}); }

    // `minutes 0 60 of rows`, in seconds after noon; what was taken is done.
    std::string take() {
        const auto work = schedule.next();
        if (!work) return "nothing";
        schedule.done(*work, took);
        return text(*work);
    }
    static std::string text(const RollUp& work) {
        constexpr const char* names[] = {"minutes", "hours", "days"};
        std::string said = names[static_cast<int>(work.buckets.front().level)];
        for (const RollupBucket& bucket : work.buckets)
            said += fmt::format(" {}", (bucket.start - noon).count / 1'000'000'000);
        return said + (work.from == RollUp::From::rows ? " of rows" : " of finer");
    }
    void go_to(std::int64_t second) { now = at(second); }
    // The level's work until there is no more of it.
    std::vector<std::string> take_all() {
        std::vector<std::string> all;
        for (std::string next = take(); next != "nothing"; next = take()) all.push_back(next);
        return all;
    }

    UnixNanos now = at(0);
    std::chrono::nanoseconds took{0};
    RollupSchedule schedule{{.settle_after = Nanos::seconds(45),
                             .keep_minutes = Nanos::days(37),
                             .keep_hours_and_days = Nanos::days(395),
                             .clock = [this] { return now; }}};
};
using Strings = std::vector<std::string>;

TEST_F(Schedule, nothingIsDueWithoutChanges) {
    go_to(10 * day);
    EXPECT_EQ(take(), "nothing");
}

TEST_F(Schedule, aMinuteIsDueWhenItHasBeenClosedForLongEnough) {
    changed(5);
    go_to(60 + 44);
    EXPECT_EQ(take(), "nothing");
    go_to(60 + 45);
    EXPECT_EQ(take(), "minutes 0 of rows");
    EXPECT_EQ(take(), "nothing") << "what was taken waits no more";
}

TEST_F(Schedule, anHourIsMadeOfItsMinutesAndADayOfRows) {
    changed(5);
    changed(hour - 1);
    go_to(hour + 45);
    EXPECT_EQ(take(), "minutes 0 3540 of rows");
    EXPECT_EQ(take(), "hours 0 of finer");
    go_to(day / 2 + 45);
    EXPECT_EQ(take(), "days -43200 of finer");
    EXPECT_EQ(take(), "nothing");
}

TEST_F(Schedule, anHourWaitsForItsMinutes) {
    changed(5);
    go_to(hour + 40);
    EXPECT_EQ(take(), "minutes 0 of rows");
    changed(10);
    go_to(hour + 46);
    EXPECT_EQ(take(), "nothing") << "its minute waits again";
    go_to(hour + 50);
    EXPECT_EQ(take(), "minutes 0 of rows");
    EXPECT_EQ(take(), "hours 0 of finer");
}

TEST_F(Schedule, lateSpansGatherBeforeTheyCostAComputation) {
    changed(5);
    go_to(120);
    EXPECT_EQ(take(), "minutes 0 of rows");
    changed(6);
    go_to(125);
    changed(7);
    go_to(129);
    EXPECT_EQ(take(), "nothing");
    go_to(130);
    EXPECT_EQ(take(), "minutes 0 of rows") << "ten seconds after the first of them";
}

TEST_F(Schedule, whatIsDearIsDoneSeldom) {
    changed(5);
    go_to(120);
    took = seconds(3);
    EXPECT_EQ(take(), "minutes 0 of rows");
    changed(6);
    go_to(179);
    EXPECT_EQ(take(), "nothing");
    go_to(180);
    EXPECT_EQ(take(), "minutes 0 of rows");
}

TEST_F(Schedule, currentLoadComesFirstAndThenTheOldest) {
    go_to(2 * day);
    changed(2 * day - 2 * hour);
    changed(100);
    changed(2 * day - 10 * minute);
    changed(hour + 7 * minute);
    go_to(2 * day + 60);
    EXPECT_EQ(take_all(), (Strings{
                              fmt::format("minutes {} of rows", 2 * day - 10 * minute),
                              fmt::format("minutes 60 {} of rows", hour + 7 * minute),
                              fmt::format("minutes {} of rows", 2 * day - 2 * hour),
                              fmt::format("hours {} {} of finer", 2 * day - 2 * hour, 2 * day - hour),
                              fmt::format("hours 0 {} of finer", hour),
                          }));
}

TEST_F(Schedule, oneTurnTakesABoundedNumberOfBucketsOfOneDay) {
    std::vector<UnixNanos> starts;
    for (int i = 0; i < 40; ++i) starts.push_back(at(day / 2 - 20 * minute + i * minute));
    changed(starts);
    go_to(2 * day);
    std::vector<std::size_t> sizes;
    while (const auto work = schedule.next()) {
        if (work->buckets.front().level != RollupLevel::minute) break;
        EXPECT_EQ(day_of(work->buckets.front().start), day_of(work->buckets.back().start));
        sizes.push_back(work->buckets.size());
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{15, 5, 15, 5}));
}

TEST_F(Schedule, whatTheStoreFoundStaleIsDueAtOnceButNotBeforeItIsSettled) {
    go_to(hour);
    const std::vector<RollupBucket> stale = {bucket_of(RollupLevel::minute, at(0)),
                                             bucket_of(RollupLevel::minute, at(hour - 30)),
                                             bucket_of(RollupLevel::hour, at(-hour))};
    schedule.stale(stale);
    EXPECT_EQ(take_all(), (Strings{"minutes 0 of rows", "hours -3600 of finer"}));
    go_to(hour + 45);
    EXPECT_EQ(take(), "minutes 3540 of rows");
}

TEST_F(Schedule, spansOfTheFutureWaitForTheirTime) {
    changed(20 * hour);
    go_to(20 * hour + 60);
    EXPECT_EQ(take(), "nothing");
    go_to(20 * hour + 105);
    EXPECT_EQ(take(), fmt::format("minutes {} of rows", 20 * hour));
}

TEST_F(Schedule, whatFailedIsTriedAgainAWhileLater) {
    changed(5);
    go_to(120);
    const auto work = schedule.next();
    ASSERT_TRUE(work);
    schedule.failed(*work);
    EXPECT_EQ(take(), "nothing");
    go_to(130);
    EXPECT_EQ(take(), "minutes 0 of rows");
}

TEST_F(Schedule, bucketsBeyondTheirLifetimeAreLetGo) {
    changed(5);
    go_to(38 * day);
    // The minutes would be dropped at once, so the hour is made of rows.
    EXPECT_EQ(take_all(), (Strings{"hours 0 of rows", "days -43200 of finer"}));
    changed(5);
    go_to(400 * day);
    EXPECT_EQ(take(), "nothing");
    EXPECT_EQ(schedule.waiting(RollupLevel::day), 0u);
}

TEST_F(Schedule, timesBeforeTheEpochHaveBucketsToo) {
    EXPECT_EQ(bucket_of(RollupLevel::minute, UnixNanos{-1}).start, UnixNanos{-60'000'000'000});
    EXPECT_EQ(bucket_of(RollupLevel::hour, UnixNanos{-3'600'000'000'000}).start,
              UnixNanos{-3'600'000'000'000});
}

// A store that only notes what is asked of it.
class NotingStore : public SpanStore {
public:
    Result<void> migrate() override { return {}; }
    Result<void> write(const AnyBatch&, std::string_view) override { return {}; }
    Result<void> amend(const Amendments&) override { return {}; }
    Result<Rows> rows(const RowQuestion&, const Cancel&) override { return Rows{SpanBatch(), {}}; }
    Result<Table> groups(const GroupQuestion&, const Cancel&) override { return Table(); }
    Result<void> stream(const RowQuestion&, const std::function<bool(AnyBatch)>&, const Cancel&) override {
        return {};
    }
    Result<void> forget(const Forget&) override { return {}; }
    StoreHealth health() override { return {}; }

    Result<void> roll_up(const RollUp& work, const Cancel& cancel) override {
        std::unique_lock lock(mutex_);
        asked_.push_back(work);
        changed_.notify_all();
        if (failures > 0) {
            --failures;
            return fail(ErrorKind::unavailable, "not now");
        }
        if (!endless) return {};
        changed_.wait(lock, cancel.stop, [] { return false; });
        return fail(ErrorKind::cancelled, "given up");
    }
    Result<std::vector<RollupBucket>> stale_rollups(const Cancel&) override { return found_stale; }
    Result<void> forget_rollups(RollupLevel level, UnixNanos before) override {
        const std::lock_guard lock(mutex_);
        forgotten.emplace_back(level, before);
        return {};
    }
    std::vector<RollUp> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, seconds(30), [&] { return asked_.size() >= count; });
        return asked_;
    }

    std::vector<RollupBucket> found_stale;
    std::vector<std::pair<RollupLevel, UnixNanos>> forgotten;
    int failures = 0;
    bool endless = false;

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<RollUp> asked_;
};

class RollupsTest : public Schedule {
protected:
    Rollups::Options options() {
        return {.keep_minutes = Nanos::days(37),
                .keep_hours_and_days = Nanos::days(395),
                .look_every = std::chrono::milliseconds(1),
                .clock = [] { return at(0); }};
    }
    NotingStore store;
};

TEST_F(RollupsTest, beginWithWhatIsStaleAndDropWhatIsOld) {
    go_to(hour);
    store.found_stale = {bucket_of(RollupLevel::minute, at(0))};
    Rollups rollups(options(), store, schedule, [] { return Sequence{77}; });
    const auto asked = store.wait_for(1);
    rollups.stop();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(text(asked[0]), "minutes 0 of rows");
    EXPECT_EQ(asked[0].through, 77u);
    EXPECT_EQ(store.forgotten,
              (std::vector<std::pair<RollupLevel, UnixNanos>>{{RollupLevel::minute, at(-37 * day)},
                                                              {RollupLevel::hour, at(-395 * day)},
                                                              {RollupLevel::day, at(-395 * day)}}));
    EXPECT_EQ(rollups.stats().computed, 1u);
}

TEST_F(RollupsTest, whatTheStoreRefusedWaits) {
    changed(5);
    go_to(120);
    store.failures = 1;
    Rollups rollups(options(), store, schedule, [] { return Sequence{1}; });
    store.wait_for(1);
    rollups.stop();
    EXPECT_EQ(rollups.stats().failures, 1u);
    EXPECT_EQ(rollups.stats().error, "not now");
    EXPECT_EQ(schedule.waiting(RollupLevel::minute), 1u);
}

TEST_F(RollupsTest, stoppingEndsWhatIsBeingComputed) {
    changed(5);
    go_to(120);
    store.endless = true;
    Rollups rollups(options(), store, schedule, [] { return Sequence{1}; });
    store.wait_for(1);
    rollups.stop();
    EXPECT_EQ(schedule.waiting(RollupLevel::minute), 1u);
    EXPECT_EQ(rollups.stats().failures, 0u);
}

}  // namespace
}  // namespace obs
