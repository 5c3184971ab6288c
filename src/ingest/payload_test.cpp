#include "ingest/payload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/test_bed.h"

namespace obs {
namespace {

using namespace obs::test;

Payload sample() {
    Payload payload;
    payload.request = {17, 4};
    payload.tenant = {.org = "acme", .project = "shop", .key_id = "not kept"};
    payload.spans = spans_of({call("c1", ""), step("s2", "c1")});
    payload.running = spans_of({step("r3", "c1")});
    payload.content = spans_of({answer_of("c1", "hello")});
    payload.others.push_back(batch_of({{log("one")}}));
    payload.others.push_back(batch_of({{score("quality")}}));
    return payload;
}

std::string encoded(const Payload& payload) {
    std::string bytes;
    append_payload(bytes, payload);
    return bytes;
}

TEST(Payload, comesBackAsItWas) {
    const Payload read = read_payload(encoded(sample())).value();
    EXPECT_EQ(read.request, (Fingerprint{17, 4}));
    EXPECT_EQ(read.tenant.org, "acme");
    EXPECT_EQ(read.tenant.project, "shop");
    EXPECT_EQ(shown(read.spans), shown(sample().spans));
    EXPECT_EQ(shown(read.running), "r3\n");
    EXPECT_EQ(read.content.output_text[0], "hello");
    ASSERT_EQ(read.others.size(), 2u);
    EXPECT_EQ(rows_of(read.others[0])[0].text(), rows_of(sample().others[0])[0].text());
    EXPECT_EQ(table_of(read.others[1]), TableId::scores);
    EXPECT_EQ(read.rows(), 4u) << "running spans and content are not rows to store";
    EXPECT_GT(read.bytes(), 0u);
}

TEST(Payload, ofNothingIsItsHead) {
    const Payload read = read_payload(encoded({})).value();
    EXPECT_EQ(read.rows(), 0u);
    EXPECT_EQ(read.tenant.org, "default");
}

// Every cut, and every byte changed, is refused or still readable; nothing else happens.
TEST(Payload, isCheckedWhenItIsRead) {
    const std::string whole = encoded(sample());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto read = read_payload(std::string_view(whole).substr(0, size));
        EXPECT_TRUE(read || read.error().kind == ErrorKind::corrupt);
    }
    EXPECT_FALSE(read_payload(std::string_view(whole).substr(0, 10)));
    EXPECT_FALSE(read_payload(std::string_view(whole).substr(0, whole.size() - 1)));
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x55);
        const auto read = read_payload(changed);
        EXPECT_TRUE(read || read.error().kind == ErrorKind::corrupt);
    }
}

TEST(Payload, refusesAPartThatNobodyKnows) {
    std::string bytes = encoded({});
    const std::size_t head = bytes.size();
    Payload payload;
    payload.spans = spans_of({call("c1", "")});
    bytes = encoded(payload);
    bytes[head] = 9;
    EXPECT_THAT(read_payload(bytes).error().message, testing::HasSubstr("part 9"));
}

struct BoundaryCase {
    std::string_view what;
    std::string bytes;
    bool good;
};
class BoundaryBytes : public testing::TestWithParam<BoundaryCase> {};
TEST_P(BoundaryBytes, areChecked) {
    const auto read = read_boundary(GetParam().bytes);
    EXPECT_EQ(read.has_value(), GetParam().good);
    EXPECT_TRUE(!read || encode_boundary(*read) == GetParam().bytes);
}
INSTANTIATE_TEST_SUITE_P(All, BoundaryBytes,
                         testing::Values(BoundaryCase{"of_some_records", encode_boundary({3, 9}), true},
                                         BoundaryCase{"of_one_record", encode_boundary({3, 3}), true},
                                         BoundaryCase{"backwards", encode_boundary({9, 3}), false},
                                         BoundaryCase{"cut", encode_boundary({3, 9}).substr(1), false},
                                         BoundaryCase{"with_more_behind", encode_boundary({3, 9}) + "x",
                                                      false},
                                         BoundaryCase{"empty", "", false}),
                         [](const auto& test) { return std::string(test.param.what); });

}  // namespace
}  // namespace obs
