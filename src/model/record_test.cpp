#include "model/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/random_batches.h"

namespace obs {
namespace {

template <class Batch>
class Record : public testing::Test {};
using Batches = testing::Types<SpanBatch, LogBatch, MetricBatch, ScoreBatch>;
TYPED_TEST_SUITE(Record, Batches);

TYPED_TEST(Record, readsBackWhatWasWritten) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        AnyBatch wrote = random_batch<TypeParam>(seed, seed % 7);
        std::string bytes;
        append_record(bytes, wrote);
        bytes += "next";
        std::string_view rest = bytes;
        auto read = read_record(rest);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(rest, "next");
        EXPECT_EQ(size_of(*read), size_of(wrote));
        EXPECT_THAT(differing_columns(std::get<TypeParam>(wrote), std::get<TypeParam>(*read)),
                    testing::IsEmpty());
    }
}

TYPED_TEST(Record, aCutRecordIsCorrupt) {
    std::string bytes;
    append_record(bytes, random_batch<TypeParam>(3, 5));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        const std::string cut = bytes.substr(0, length);
        std::string_view rest = cut;
        EXPECT_FALSE(read_record(rest)) << length;
    }
}

TYPED_TEST(Record, aFlippedBitIsHarmless) {
    std::string bytes;
    append_record(bytes, random_batch<TypeParam>(4, 5));
    std::size_t refused = 0;
    for (std::size_t at = 0; at < bytes.size() * 8; ++at) {
        std::string flipped = bytes;
        flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ (1 << at % 8));
        std::string_view rest = flipped;
        auto read = read_record(rest);
        if (!read) {
            ++refused;
            continue;
        }
        // Readable means that every value can be read.
        std::visit(
            [](const auto& rows) {
                std::remove_cvref_t<decltype(rows)> copy;
                for (std::size_t row = 0; row < rows.size(); ++row) append_row(copy, rows, row);
            },
            *read);
    }
    EXPECT_GT(refused, 0u);
}

TEST(RecordOfAnotherProgram, columnsThatAreGoneAreSkipped) {
    SpanBatch batch;
    batch.ts.put(0, UnixNanos{7});
    batch.span_name.put(0, "chat");
    std::string bytes;
    append_record(bytes, batch);
    const std::size_t name = bytes.find("span_name");
    ASSERT_NE(name, std::string::npos);
    bytes.replace(name, 9, "sp4n_nam3");
    std::string_view rest = bytes;
    auto read = read_record(rest);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(std::get<SpanBatch>(*read).span_name[0], "");
    EXPECT_EQ(std::get<SpanBatch>(*read).ts[0], UnixNanos{7});
}

TEST(RecordOfAnotherProgram, aColumnOfAnotherTypeIsNamed) {
    SpanBatch batch;
    batch.ts.put(0, UnixNanos{7});
    batch.span_kind.put(0, std::uint8_t{3});
    std::string bytes;
    append_record(bytes, batch);
    const std::size_t name = bytes.find("span_kind");
    bytes[name + 9] = static_cast<char>(ColumnType::text);
    std::string_view rest = bytes;
    const auto read = read_record(rest);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(read.error().message, testing::HasSubstr("span_kind"));
}

}  // namespace
}  // namespace obs
