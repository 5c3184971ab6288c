#include "model/batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/random_batches.h"

namespace obs {
namespace {

template <class Batch>
class BatchOf : public testing::Test {};
using Batches = testing::Types<SpanBatch, LogBatch, MetricBatch, ScoreBatch>;
TYPED_TEST_SUITE(BatchOf, Batches);

TYPED_TEST(BatchOf, appendingAllRowsEqualsAppendingEach) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        TypeParam together = random_batch<TypeParam>(seed, seed % 5);
        TypeParam each = together;
        const TypeParam more = random_batch<TypeParam>(seed + 1000, seed % 7);
        append_rows(together, more);
        for (std::size_t row = 0; row < more.size(); ++row) append_row(each, more, row);
        ASSERT_EQ(together.size(), seed % 5 + seed % 7);
        EXPECT_THAT(differing_columns(each, together), testing::IsEmpty());
    }
}

}  // namespace
}  // namespace obs
