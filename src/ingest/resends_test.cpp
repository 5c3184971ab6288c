#include "ingest/resends.h"

#include <gtest/gtest.h>

#include <fstream>

#include "ingest/test_bed.h"

namespace obs {
namespace {

using Seen = Resends::Seen;
constexpr UnixNanos start{1'000'000'000'000};
constexpr Fingerprint one{1, 1}, two{2, 2}, three{3, 3};

class ResendsTest : public testing::Test {
protected:
    Seen begin(const Fingerprint& request, Nanos after = {}) {
        Intake::Done done = [this](const Result<Accepted>&) { ++answered_; };
        return resends_.begin(request, start + after, done);
    }
    void finish(const Fingerprint& request, bool durable, Nanos after = {}) {
        for (const Intake::Done& done : resends_.finish(request, durable, start + after)) done(Accepted{});
    }

    Resends resends_{{.lifetime = Nanos::seconds(900), .requests = 3}};
    int answered_ = 0;
};

TEST_F(ResendsTest, tellsWhetherARequestIsNewOrOnItsWayOrOnDisk) {
    EXPECT_EQ(begin(one), Seen::never);
    EXPECT_EQ(begin(one), Seen::in_flight);
    EXPECT_EQ(begin(two), Seen::never);
    finish(one, true);
    EXPECT_EQ(begin(one), Seen::durable);
}

TEST_F(ResendsTest, answersAllThatWaitForTheSameRequestTogether) {
    begin(one);
    begin(one);
    begin(one);
    EXPECT_EQ(answered_, 0);
    finish(one, true);
    EXPECT_EQ(answered_, 2);
    finish(one, true);
    EXPECT_EQ(answered_, 2) << "each once";
}

TEST_F(ResendsTest, takesARefusedRequestAgain) {
    begin(one);
    finish(one, false);
    EXPECT_EQ(begin(one), Seen::never);
}

TEST_F(ResendsTest, forgetsAfterFifteenMinutesFromTheAnswer) {
    begin(one);
    finish(one, false);
    begin(one, Nanos::seconds(600));
    finish(one, true, Nanos::seconds(600));
    EXPECT_EQ(begin(one, Nanos::seconds(1500)), Seen::durable);
    EXPECT_EQ(begin(one, Nanos::seconds(1501)), Seen::never);
}

TEST_F(ResendsTest, neverForgetsWhatIsOnItsWay) {
    begin(one);
    EXPECT_EQ(begin(one, Nanos::hours(1)), Seen::in_flight);
    finish(one, true, Nanos::hours(1));
    EXPECT_EQ(answered_, 1);
    EXPECT_EQ(begin(one, Nanos::hours(1)), Seen::durable);
}

TEST_F(ResendsTest, forgetsTheOldestWhenThereAreTooMany) {
    for (const Fingerprint& request : {one, two, three}) {
        begin(request);
        finish(request, true);
    }
    EXPECT_EQ(begin({4, 4}), Seen::never);
    EXPECT_EQ(begin(one), Seen::never);
    EXPECT_EQ(begin(three), Seen::durable);
}

TEST_F(ResendsTest, knowsWhatTheJournalHolds) {
    resends_.remember(one, start);
    EXPECT_EQ(begin(one), Seen::durable);
}

// -- over restarts

class ResendsOnDisk : public testing::Test {
protected:
    // Another life, `after` the first one began.
    void restart(Nanos after) {
        resends_ = std::make_unique<Resends>(Resends::Limits{.lifetime = Nanos::seconds(900), .requests = 4});
        ASSERT_TRUE(resends_->open(directory_.path(), start + after));
    }
    void take(const Fingerprint& request, Nanos after) {
        Intake::Done done;
        ASSERT_EQ(resends_->begin(request, start + after, done), Seen::never);
        resends_->finish(request, true, start + after);
    }
    bool knows(const Fingerprint& request, Nanos after) {
        Intake::Done done;
        const Seen seen = resends_->begin(request, start + after, done);
        if (seen == Seen::never) resends_->finish(request, false, start + after);
        return seen == Seen::durable;
    }
    void save(Nanos after) { ASSERT_TRUE(resends_->save(start + after)); }

    test::TempDirectory directory_;
    std::unique_ptr<Resends> resends_;
};

TEST_F(ResendsOnDisk, knowsWhatWasSavedForFifteenMinutes) {
    restart({});
    take(one, {});
    take(two, Nanos::seconds(600));
    save(Nanos::seconds(600));
    take(three, Nanos::seconds(601));
    restart(Nanos::seconds(900));
    EXPECT_TRUE(knows(one, Nanos::seconds(900)));
    EXPECT_TRUE(knows(two, Nanos::seconds(900)));
    EXPECT_FALSE(knows(three, Nanos::seconds(900))) << "was not saved";
    restart(Nanos::seconds(901));
    EXPECT_FALSE(knows(one, Nanos::seconds(901)));
    EXPECT_TRUE(knows(two, Nanos::seconds(901)));
}

TEST_F(ResendsOnDisk, theFilesTakeTurns) {
    std::uint64_t number = 0;
    restart({});
    for (std::int64_t second = 0; second < 7'200; second += 400) {
        take({++number, 1}, Nanos::seconds(second));
        save(Nanos::seconds(second));
        if (number % 3 == 0) restart(Nanos::seconds(second));
        EXPECT_TRUE(knows({number, 1}, Nanos::seconds(second)));
        if (number > 2) {
            EXPECT_TRUE(knows({number - 2, 1}, Nanos::seconds(second)));
        }
    }
    std::uintmax_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory_.path())) bytes += file.file_size();
    EXPECT_LE(bytes, 8u * 24) << "of 18 requests";
}

TEST_F(ResendsOnDisk, aTornEndIsWrittenOver) {
    restart({});
    take(one, {});
    save({});
    std::ofstream(directory_.path() / "requests", std::ios::binary | std::ios::app) << "torn";
    restart({});
    take(two, {});
    save({});
    restart({});
    EXPECT_TRUE(knows(one, {}));
    EXPECT_TRUE(knows(two, {}));
    EXPECT_EQ(std::filesystem::file_size(directory_.path() / "requests"), 48u);
}

TEST_F(ResendsOnDisk, whatCouldNotBeSavedIsSavedLater) {
    restart({});
    const std::filesystem::path in_the_way = directory_.path() / "requests";
    std::filesystem::create_directories(in_the_way);
    take(one, {});
    EXPECT_EQ(resends_->save(start).error().kind, ErrorKind::unavailable);
    take(two, {});
    EXPECT_FALSE(resends_->save(start));
    std::filesystem::remove(in_the_way);
    save({});
    restart({});
    EXPECT_TRUE(knows(one, {}));
    EXPECT_TRUE(knows(two, {}));
}

}  // namespace
}  // namespace obs
