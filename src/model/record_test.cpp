#include "model/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/random_batches.h"

namespace obs {
namespace {

template <class T>
bool same(const Fixed<T>& a, const Fixed<T>& b, std::size_t row) {
    return a[row] == b[row];
}
template <class T>
bool same(const Optional<T>& a, const Optional<T>& b, std::size_t row) {
    return a[row] == b[row];
}
bool same(const Text& a, const Text& b, std::size_t row) {
    return a[row] == b[row];
}
bool same(const Dict& a, const Dict& b, std::size_t row) {
    return a[row] == b[row];
}
bool same(const TextList& a, const TextList& b, std::size_t row) {
    return a[row] == b[row];
}
bool same(const Map& a, const Map& b, std::size_t row) {
    const auto left = a[row], right = b[row];
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& x, const auto& y) {
        return x.key == y.key && x.value == y.value && x.type == y.type;
    });
}

// The columns in which the batches differ, but for those that are not part of a record.
template <class Batch>
std::vector<std::string> differences(Batch& wrote, Batch& read) {
    std::vector<std::string> differing;
    wrote.for_each_column([&](const ColumnInfo& info, auto& column) {
        read.for_each_column([&](const ColumnInfo& other, auto& again) {
            if constexpr (std::is_same_v<decltype(column), decltype(again)>) {
                if (&info != &other || info.has(derived)) return;
                for (std::size_t row = 0; row < wrote.size(); ++row)
                    if (!same(column, again, row)) {
                        differing.push_back(fmt::format("{}[{}]", info.name, row));
                        return;
                    }
            }
        });
    });
    return differing;
}

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
        EXPECT_THAT(differences(std::get<TypeParam>(wrote), std::get<TypeParam>(*read)), testing::IsEmpty());
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
