#include "model/native.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/random_batches.h"

namespace obs {
namespace {

template <class Batch>
class Native : public testing::Test {};
using Batches = testing::Types<SpanBatch, LogBatch, MetricBatch, ScoreBatch>;
TYPED_TEST_SUITE(Native, Batches);

template <class Batch>
Buffer block_of(std::uint64_t seed, std::size_t rows) {
    Buffer block;
    append_native(AnyBatch(random_batch<Batch>(seed, rows)), block);
    return block;
}

TYPED_TEST(Native, readsBackWhatWasWritten) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        auto wrote = random_batch<TypeParam>(seed, seed % 7);
        AnyBatch read = TypeParam();
        const auto result = read_native(block_of<TypeParam>(seed, seed % 7).view(), read);
        ASSERT_TRUE(result) << result.error().message;
        EXPECT_THAT(differing_columns(wrote, std::get<TypeParam>(read)), testing::IsEmpty());
    }
}

TYPED_TEST(Native, blocksFollowEachOther) {
    TypeParam both;
    Buffer blocks;
    for (const std::uint64_t seed : {1, 2, 3}) {
        const auto rows = random_batch<TypeParam>(seed, 4);
        for (std::size_t row = 0; row < rows.size(); ++row) append_row(both, rows, row);
        append_native(AnyBatch(rows), blocks);
    }
    AnyBatch read = TypeParam();
    const auto result = read_native(blocks.view(), read);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_THAT(differing_columns(both, std::get<TypeParam>(read)), testing::IsEmpty());
}

TYPED_TEST(Native, aCutBlockIsCorrupt) {
    const Buffer block = block_of<TypeParam>(3, 5);
    for (std::size_t length = 1; length < block.size(); ++length) {
        AnyBatch read = TypeParam();
        EXPECT_FALSE(read_native(block.view().substr(0, length), read)) << length;
    }
}

TYPED_TEST(Native, aFlippedBitIsHarmless) {
    const Buffer block = block_of<TypeParam>(4, 5);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < block.size() * 8; ++at) {
        std::string flipped(block.view());
        flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ (1 << at % 8));
        AnyBatch read = TypeParam();
        if (!read_native(flipped, read)) ++refused;
    }
    EXPECT_GT(refused, 0u);
}

TEST(NativeBlock, columnsThatNobodyPutAreLeftOut) {
    SpanBatch batch;
    batch.ts.put(0, UnixNanos{7});
    batch.model.put(0, "gpt-4o");
    Buffer block;
    append_native(AnyBatch(batch), block);
    EXPECT_EQ(static_cast<int>(block.view()[0]), 2);
    EXPECT_EQ(block.view().find("duration"), std::string_view::npos);
}

TEST(NativeBlock, aDictionaryOfAnySizeIsReadBack) {
    for (const int values : {1, 255, 256, 65'535, 65'536, 70'000}) {
        SpanBatch wrote;
        for (int row = 0; row < values; ++row) {
            wrote.ts.put(static_cast<std::size_t>(row), UnixNanos{row});
            wrote.model.put(static_cast<std::size_t>(row), fmt::format("model {}", row));
        }
        Buffer block;
        append_native(AnyBatch(wrote), block);
        AnyBatch read = SpanBatch();
        ASSERT_TRUE(read_native(block.view(), read));
        EXPECT_THAT(differing_columns(wrote, std::get<SpanBatch>(read)), testing::IsEmpty()) << values;
    }
}

std::string column(std::string_view name, std::string_view type, std::string_view data) {
    return fmt::format("{}{}{}{}{}", static_cast<char>(name.size()), name, static_cast<char>(type.size()),
                       type, data);
}

TEST(NativeBlock, columnsOfAnotherSchemaAreRefused) {
    const std::string rows(1, '\1'), columns(1, '\1'), number(8, '\0');
    struct Case {
        std::string_view what;
        std::string column, problem;
    };
    const Case cases[] = {
        {"unknown", column("nothing", "UInt64", number), "no column nothing of type UInt64"},
        {"of another type", column("seq", "Int64", number), "no column seq of type Int64"},
        {"types without a map", column("attributes_types", "Array(UInt8)", "\1\0\0\0\0\0\0\0\1"), "damaged"},
    };
    for (const Case& test : cases) {
        AnyBatch read = SpanBatch();
        const auto result = read_native(columns + rows + test.column, read);
        ASSERT_FALSE(result) << test.what;
        EXPECT_EQ(result.error().kind, ErrorKind::corrupt) << test.what;
        EXPECT_THAT(result.error().message, testing::HasSubstr(test.problem)) << test.what;
    }
}

TEST(NativeFigures, cellsKeepTheirTypesAndWhatIsMissing) {
    using std::string_literals::operator""s;
    std::string block = "\5\2"s;
    block += column("n", "Int64", "\1\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"s);
    block += column("u", "Nullable(UInt64)", "\1\0"s + std::string(8, '\0') + "\7\0\0\0\0\0\0\0"s);
    block += column("f", "Float64", "\0\0\0\0\0\0\xf8\x3f"s + std::string(8, '\0'));
    block += column("s", "Nullable(String)", "\0\1"s + "\3gpt\0"s);
    block += column("l", "Array(String)", "\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"s + "\1a\1b"s);
    Table table;
    const auto result = read_native(block, table);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_THAT(table.columns, testing::ElementsAre("n", "u", "f", "s", "l"));
    const std::vector<std::vector<Cell>> expected = {
        {std::int64_t{1}, std::monostate{}, 1.5, "gpt"s, std::vector<std::string>{"a", "b"}},
        {std::int64_t{-1}, std::int64_t{7}, 0.0, std::monostate{}, std::vector<std::string>{}},
    };
    EXPECT_EQ(table.rows, expected);
}

}  // namespace
}  // namespace obs
