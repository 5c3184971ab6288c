#include "query/cursor.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "query/base64.h"
#include "query/fields.h"

namespace obs::query {
namespace {

std::vector<Order> by(std::string_view field, bool descending = true) {
    return {{find_field(TableId::spans, field)->ref(), descending}};
}

Cursor at(std::vector<std::optional<Scalar>> values) {
    Cursor cursor{.question = 7, .seq = 42, .now = {1'700'000'000'123'456'789}};
    cursor.after = RowQuestion::Position{std::move(values),
                                         {1'699'000'000'000'000'001},
                                         *TraceId::from_hex("0123456789abcdef0123456789abcdef"),
                                         *SpanId::from_hex("0123456789abcdef")};
    return cursor;
}

struct RoundCase {
    std::string what, field;
    std::optional<Scalar> value;
};
class CursorRoundTrip : public testing::TestWithParam<RoundCase> {};

TEST_P(CursorRoundTrip, keepsEverything) {
    const auto order = by(GetParam().field);
    const Cursor cursor = at({GetParam().value});
    const auto back = parse_cursor(to_text(cursor, order), 7, order);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->seq, 42U);
    EXPECT_EQ(back->now, cursor.now);
    EXPECT_EQ(back->after->values, cursor.after->values);
    EXPECT_EQ(back->after->ts, cursor.after->ts);
    EXPECT_EQ(back->after->trace_id, cursor.after->trace_id);
    EXPECT_EQ(back->after->span_id, cursor.after->span_id);
}
INSTANTIATE_TEST_SUITE_P(Values, CursorRoundTrip,
                         testing::Values(RoundCase{"time", "ts",
                                                   Scalar(std::int64_t{1'699'000'000'000'000'001})},
                                         RoundCase{"text", "model", Scalar(std::string("gpt \"4\"\n"))},
                                         RoundCase{"duration", "duration_ms", Scalar(std::int64_t{-5})},
                                         RoundCase{"money_beyond_a_double", "total_cost_usd",
                                                   Scalar(std::int64_t{9'007'199'254'740'993})},
                                         RoundCase{"id", "trace_id", Scalar(std::string(16, '\xfe'))},
                                         RoundCase{"status", "status_code", Scalar(std::int64_t{2})},
                                         RoundCase{"missing", "total_cost_usd", std::nullopt}),
                         [](const auto& test) { return test.param.what; });

TEST(Cursor, keepsWhereAScanStopped) {
    Cursor cursor{.question = 7, .seq = 1, .now = {5'000'000'000}};
    cursor.to = UnixNanos{1'000'000'000};
    cursor.floor = UnixNanos{2};
    const auto back = parse_cursor(to_text(cursor, {}), 7, {});
    ASSERT_TRUE(back);
    EXPECT_FALSE(back->after);
    EXPECT_EQ(back->to, cursor.to);
    EXPECT_EQ(back->floor, cursor.floor);
}

TEST(Cursor, isReadInAnAddressToo) {
    std::string text = to_text(at({}), {});
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    EXPECT_TRUE(parse_cursor(text.substr(0, text.find('=')), 7, {}));
}

std::string base64_of(std::string_view json) {
    return to_base64(json);
}

struct BadCase {
    std::string what, text;
};
class BadCursor : public testing::TestWithParam<BadCase> {};
TEST_P(BadCursor, isRefused) {
    const auto cursor = parse_cursor(GetParam().text, 7, by("model"));
    ASSERT_FALSE(cursor);
    EXPECT_EQ(cursor.error().field, "cursor");
    EXPECT_TRUE(cursor.error().message.starts_with("Invalid cursor")) << cursor.error().message;
}
const std::string head = R"({"question":"7","seq":1,"now":"2025-01-01T00:00:00Z")";
INSTANTIATE_TEST_SUITE_P(
    Mistakes, BadCursor,
    testing::Values(
        BadCase{"empty", ""}, BadCase{"no_base64", "%%%"}, BadCase{"no_json", base64_of("nonsense")},
        BadCase{"a_list", base64_of("[]")}, BadCase{"nothing_in_it", base64_of("{}")},
        BadCase{"of_another_question", to_text(
                                           [] {
                                               Cursor c = at({Scalar(std::string("a"))});
                                               c.question = 8;
                                               return c;
                                           }(),
                                           by("model"))},
        BadCase{"of_another_order", to_text(at({Scalar(std::int64_t{1})}), by("total_tokens"))},
        BadCase{
            "too_few_sort_values",
            base64_of(
                head +
                R"(,"timestamp":"2025-01-01","trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef","sort_value":[]})")},
        BadCase{
            "a_sort_value_of_another_type",
            base64_of(
                head +
                R"(,"timestamp":"2025-01-01","trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef","sort_value":[{}]})")},
        BadCase{
            "a_short_id",
            base64_of(
                head +
                R"(,"timestamp":"2025-01-01","trace_id":"01","span_id":"0123456789abcdef","sort_value":["a"]})")},
        BadCase{"negative_seq", base64_of(R"({"question":"7","seq":-1,"now":"2025-01-01T00:00:00Z"})")},
        BadCase{"too_long", std::string(100'000, 'A')}),
    [](const auto& test) { return test.param.what; });

TEST(Base64, roundTripsAnyBytes) {
    std::mt19937 random(3);
    for (std::size_t size = 0; size < 70; ++size) {
        std::string bytes(size, '\0');
        for (char& c : bytes) c = static_cast<char>(random());
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    }
    EXPECT_EQ(to_base64("ab"), "YWI=");
    EXPECT_FALSE(from_base64("a"));
}

}  // namespace
}  // namespace obs::query
