#include "serve/byte_range.h"

#include <ostream>

#include <gtest/gtest.h>

namespace obs::serve {

void PrintTo(const AskedRange& asked, std::ostream* out) {
    *out << static_cast<int>(asked.kind) << " " << asked.range.begin << "+" << asked.range.size;
}

namespace {

using Kind = AskedRange::Kind;

struct RangeCase {
    std::string_view header;
    std::uint64_t size;
    AskedRange expected;
};

TEST(ByteRange, isReadOrIgnored) {
    constexpr AskedRange whole{}, outside{Kind::outside, {}};
    const auto part = [](std::uint64_t begin, std::uint64_t size) {
        return AskedRange{Kind::part, {begin, size}};
    };
    const RangeCase cases[] = {
        {"", 10, whole},
        {"bytes=0-0", 10, part(0, 1)},
        {"bytes=2-5", 10, part(2, 4)},
        {"bytes=2-", 10, part(2, 8)},
        {"bytes=-3", 10, part(7, 3)},
        {"bytes=-30", 10, part(0, 10)},
        {"bytes=2-500", 10, part(2, 8)},
        {"bytes=9-9", 10, part(9, 1)},
        {"bytes=10-", 10, outside},
        {"bytes=-0", 10, outside},
        {"bytes=0-", 0, outside},
        {"bytes=-5", 0, outside},
        {"bytes=5-2", 10, whole},
        {"bytes=0-1,4-5", 10, whole},
        {"bytes=a-b", 10, whole},
        {"bytes=", 10, whole},
        {"bytes=-", 10, whole},
        {"lines=0-1", 10, whole},
        {"bytes=99999999999999999999-", 10, whole},
    };
    for (const RangeCase& test : cases)
        EXPECT_EQ(asked_range(test.header, test.size), test.expected) << test.header;
}

}  // namespace
}  // namespace obs::serve
