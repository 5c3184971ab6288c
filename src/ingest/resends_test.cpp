#include "ingest/resends.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace obs
