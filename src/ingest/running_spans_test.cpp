#include "ingest/running_spans.h"

#include <gtest/gtest.h>

#include <fstream>

#include "ingest/test_bed.h"

namespace obs {
namespace {

using namespace obs::test;

class RunningSpansTest : public testing::Test {
protected:
    void put(const std::vector<TestRow>& rows, Sequence seq = 1, UnixNanos now = noon) {
        const SpanBatch batch = spans_of(rows);
        for (std::size_t row = 0; row < batch.size(); ++row) running_.put(batch, row, seq, now);
    }
    void end(const TestRow& span, UnixNanos now = noon) { running_.ended(spans_of({span}), 0, now); }
    std::string found(const std::vector<std::string>& projects = {}, std::string_view org = "default") {
        return shown(running_.find(org, projects, std::nullopt).spans);
    }

    RunningSpans running_;
};

TEST_F(RunningSpansTest, theLatestWordOfASpanCounts) {
    put({step("s1", ""), step("s2", "s1")});
    put({call("s1", "")}, 2);
    EXPECT_EQ(found(), "s2\ns1 10+5 call\n");
    EXPECT_EQ(running_.stats().running, 2u);
    end(step("s2", "s1"));
    end(step("s2", "s1"));
    EXPECT_EQ(found(), "s1 10+5 call\n");
    end(step("s1", ""));
    EXPECT_FALSE(running_.any());
}

TEST_F(RunningSpansTest, areOfTheirProjectAndTrace) {
    put({step("s1", ""), step("s1", "").project("other"), step("s3", "").trace("two")});
    EXPECT_EQ(found({"other"}), "s1\n");
    EXPECT_EQ(found({}, "elsewhere"), "");
    EXPECT_EQ(shown(running_.find("default", {}, spans_of({step("s3", "").trace("two")}).trace_id[0]).spans),
              "s3\n");
    end(step("s1", "").project("other"));
    EXPECT_EQ(found(), "s1\ns3\n") << "the same ids in another project";
}

TEST_F(RunningSpansTest, anySpanOfATraceIsNewsOfIt) {
    put({step("s1", ""), step("s2", "").trace("two")});
    end(step("s9", "s1"), noon + Nanos::seconds(60));
    const RunningSpans::Found found = running_.find("default", {}, std::nullopt);
    ASSERT_EQ(shown(found.spans), "s1\ns2\n");
    EXPECT_EQ(found.news, (std::vector{noon + Nanos::seconds(60), noon}));
}

TEST_F(RunningSpansTest, whatIsNotHeardOfForADayIsGivenUp) {
    put({step("s1", "")});
    put({step("s2", "").trace("two")}, 2, noon + Nanos::hours(2));
    running_.forget_old(noon + Nanos::hours(25));
    EXPECT_EQ(found(), "s2\n");
    EXPECT_EQ(running_.stats().given_up, 1u);
}

TEST(RunningSpansBound, forgetsTheOldestTracesWhenThereIsNoRoom) {
    RunningSpans running({.bytes = 50'000});
    for (int number = 0; number < 2'000; ++number) {
        const SpanBatch row =
            spans_of({step(fmt::format("s{}", number), "").trace(fmt::format("t{}", number))});
        running.put(row, 0, 1, noon + Nanos::seconds(number));
    }
    const RunningSpans::Found found = running.find("default", {}, std::nullopt);
    EXPECT_GT(running.stats().given_up, 0u);
    EXPECT_EQ(found.spans.size() + running.stats().given_up, 2'000u);
    EXPECT_EQ(found.spans.span_name[found.spans.size() - 1], "s1999");
    EXPECT_NE(found.spans.span_name[0], "s0");
}

// -- the next start

TEST_F(RunningSpansTest, whatIsSavedIsThereAtTheNextStart) {
    const TempDirectory directory;
    ASSERT_TRUE(running_.open(directory.path()));
    EXPECT_EQ(running_.unsaved(), std::nullopt);
    put({step("s1", ""), step("s2", "s1")}, 7);
    put({step("s3", "")}, 8, noon + Nanos::seconds(1));
    end(step("s2", "s1"));
    EXPECT_EQ(running_.unsaved(), 7u) << "the journal keeps it until it is saved";
    ASSERT_TRUE(running_.save());
    EXPECT_EQ(running_.unsaved(), std::nullopt);
    RunningSpans next;
    ASSERT_TRUE(next.open(directory.path()));
    const RunningSpans::Found found = next.find("default", {}, std::nullopt);
    EXPECT_EQ(shown(found.spans), "s1\ns3\n");
    EXPECT_EQ(found.news, running_.find("default", {}, std::nullopt).news);
}

TEST_F(RunningSpansTest, aDamagedFileIsAsGoodAsNone) {
    const TempDirectory directory;
    ASSERT_TRUE(running_.open(directory.path()));
    put({step("s1", "")});
    ASSERT_TRUE(running_.save());
    std::filesystem::resize_file(directory.path() / "running",
                                 std::filesystem::file_size(directory.path() / "running") - 3);
    RunningSpans next;
    EXPECT_TRUE(next.open(directory.path()));
    EXPECT_FALSE(next.any());
}

}  // namespace
}  // namespace obs
