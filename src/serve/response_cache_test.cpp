// What may be used again, for whom and for how long, and what a client is told of it.
#include "serve/response_cache.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "catalog/sha256.h"
#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

using namespace std::chrono_literals;
using obs::test::span;

constexpr UnixNanos start{1'767'960'000'000'000'000};
constexpr CacheRule rule{.keep = 60s, .keep_past = 300s};

Reply reply_of(std::string body, std::optional<UnixNanos> until = std::nullopt) {
    return Reply{.body = std::move(body), .until = until};
}

struct AgeCase {
    std::string what;
    std::optional<UnixNanos> until;  // of the answer
    Nanos age;
    bool new_data;
    bool found;
};
class Age : public testing::TestWithParam<AgeCase> {};
TEST_P(Age, decidesWhatIsUsedAgain) {
    ResponseCache cache({});
    cache.put("k", rule, reply_of("{}", GetParam().until), 7, start);
    const std::uint64_t version = GetParam().new_data ? 8 : 7;
    EXPECT_EQ(cache.find("k", version, start + GetParam().age) != nullptr, GetParam().found);
}
constexpr auto past = start - Nanos::seconds(700), long_ago = start - Nanos::hours(2);
INSTANTIATE_TEST_SUITE_P(
    Ages, Age,
    testing::Values(AgeCase{"live_at_once", {}, Nanos::milliseconds(0), false, true},
                    AgeCase{"live_within_its_time", {}, Nanos::milliseconds(250), false, true},
                    AgeCase{"live_too_old", {}, Nanos::milliseconds(251), false, false},
                    AgeCase{"live_with_new_data", {}, Nanos::milliseconds(1), true, false},
                    AgeCase{"just_ended_is_live", start - Nanos::seconds(599), Nanos::milliseconds(251),
                            false, false},
                    AgeCase{"past", past, Nanos::seconds(60), true, true},
                    AgeCase{"past_too_old", past, Nanos::seconds(61), false, false},
                    AgeCase{"long_ago", long_ago, Nanos::seconds(300), true, true},
                    AgeCase{"long_ago_too_old", long_ago, Nanos::seconds(301), false, false},
                    AgeCase{"from_the_future", long_ago, Nanos::seconds(-1), false, false}),
    [](const auto& test) { return test.param.what; });

TEST(ResponseCache, isComputedAnewByOneWhileOthersGoOn) {
    ResponseCache cache({});
    cache.put("k", rule, reply_of("old"), 1, start);
    EXPECT_EQ(cache.find("k", 2, start), nullptr) << "the first one computes";
    ASSERT_NE(cache.find("k", 2, start), nullptr) << "others need not wait for it";
    EXPECT_EQ(cache.find("k", 2, start)->body, "old");
    cache.put("k", rule, reply_of("new"), 2, start);
    EXPECT_EQ(cache.find("k", 2, start)->body, "new");
}

TEST(ResponseCache, doesNotKeepWhatIsGivenOnce) {
    ResponseCache cache({});
    Reply page = reply_of("{}");
    page.once = true;
    EXPECT_EQ(cache.put("k", rule, page, 1, start), nullptr);
    Reply failed = reply_of("{}");
    failed.status = 503;
    EXPECT_EQ(cache.put("k", rule, failed, 1, start), nullptr);
    EXPECT_EQ(cache.find("k", 1, start), nullptr);
}

TEST(ResponseCache, isBounded) {
    ResponseCache cache({.bytes = 1 << 20});
    const std::string body(10'000, 'x');
    for (int i = 0; i < 1000; ++i)
        cache.put("key" + std::to_string(i), rule, reply_of(body, long_ago), 1, start);
    cache.put("huge", rule, reply_of(std::string(100'000, 'x'), long_ago), 1, start);
    int there = 0;
    for (int i = 0; i < 1000; ++i)
        there += cache.find("key" + std::to_string(i), 1, start) != nullptr ? 1 : 0;
    EXPECT_GT(there, 20);
    EXPECT_LT(there, 105);
    EXPECT_NE(cache.find("key999", 1, start), nullptr) << "the newest stay";
    EXPECT_EQ(cache.find("huge", 1, start), nullptr) << "one answer must not push all others out";
    cache.clear();
    EXPECT_EQ(cache.find("key999", 1, start), nullptr);
}

TEST(HttpDate, isReadAsItIsWritten) {
    const UnixNanos at{784'111'777'000'000'000};
    EXPECT_EQ(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date_from("Sun, 06 Nov 1994 08:49:37 GMT"), at);
    for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "1994-11-06T08:49:37Z"})
        EXPECT_FALSE(http_date_from(text)) << text;
}

struct ConditionCase {
    std::string what, name, value;
    bool unchanged;
};
class Condition : public testing::TestWithParam<ConditionCase> {};
TEST_P(Condition, isComparedWithTheAnswer) {
    CachedAnswer answer{
        .body = "{}", .content_type = "", .tag = "\"aa\"", .first_tag = "\"bb\"", .made = start};
    net::Headers headers;
    headers.add(GetParam().name, GetParam().value);
    EXPECT_EQ(client_has(headers, answer), GetParam().unchanged);
}
INSTANTIATE_TEST_SUITE_P(
    Headers, Condition,
    testing::Values(ConditionCase{"the_tag", "if-none-match", "\"aa\"", true},
                    ConditionCase{"the_first_tag", "if-none-match", "\"bb\"", true},
                    ConditionCase{"another_tag", "if-none-match", "\"cc\"", false},
                    ConditionCase{"a_list", "if-none-match", "\"cc\", W/\"dd\",\"aa\"", true},
                    ConditionCase{"a_weak_one", "if-none-match", "W/\"aa\"", true},
                    ConditionCase{"any", "if-none-match", " * ", true},
                    ConditionCase{"not_quoted", "if-none-match", "aa", false},
                    ConditionCase{"half_quoted", "if-none-match", "\"aa", false},
                    ConditionCase{"since_then", "if-modified-since", "Fri, 09 Jan 2026 12:00:00 GMT", true},
                    ConditionCase{"since_before", "if-modified-since", "Fri, 09 Jan 2026 11:59:59 GMT",
                                  false},
                    ConditionCase{"since_when", "if-modified-since", "lately", false}),
    [](const auto& test) { return test.param.what; });

// ---- through the API ----

constexpr std::string_view list = "/api/v1/traces?fields=span_name";

std::string tag_by_hand(const Answer& answer) {
    return '"' + sha256_hex(answer.body).substr(0, 32) + '"';
}

TEST(Cached, saysSo) {
    TestApi api;
    api.write({span("a")});
    const Answer first = api.get(list), second = api.get(list);
    EXPECT_EQ(first.at("/meta/cached"), "false");
    EXPECT_EQ(second.at("/meta/cached"), "true");
    EXPECT_EQ(second.at("/data"), first.at("/data"));
    EXPECT_EQ(first.headers.get("etag"), tag_by_hand(first));
    EXPECT_EQ(second.headers.get("etag"), tag_by_hand(second));
    EXPECT_EQ(second.headers.get("last-modified"), "Fri, 09 Jan 2026 13:00:00 GMT");
    EXPECT_EQ(second.headers.get("cache-control"), "private, max-age=0, must-revalidate") << "it reaches now";
    EXPECT_EQ(second.at("/meta/request_id"), "") << "it was another one's";
}

TEST(Cached, isNotOlderThanTheData) {
    TestApi api;
    api.write({span("a")});
    EXPECT_EQ(api.get(list).names(), "a");
    api.write({span("b").at(1s)});
    EXPECT_EQ(api.get(list).names(), "b a");
}

TEST(Cached, tellsHowLongAboutThePast) {
    TestApi api;
    const std::string recent = std::string(list) + "&to=2026-01-09T12:30:00Z",
                      old = std::string(list) + "&to=now-2h";
    api.get(recent);
    EXPECT_EQ(api.get(recent).headers.get("cache-control"), "private, max-age=60");
    EXPECT_EQ(api.get(old).headers.get("cache-control"), "private, max-age=300");
    // Data that comes late does not make it new; its age does.
    api.write({span("a")});
    EXPECT_EQ(api.get(recent).at("/meta/cached"), "true");
}

TEST(Cached, isNotSentAgainToWhoHasIt) {
    TestApi api;
    const Answer first = api.get(list);
    for (const std::string& tag : {std::string(first.headers.get("etag")), std::string("*")}) {
        const Answer again = api.get(list, "admin", {{"if-none-match", tag}});
        EXPECT_EQ(again.status, 304);
        EXPECT_EQ(again.body, "");
        EXPECT_NE(again.headers.get("etag"), "");
        EXPECT_NE(again.headers.get("x-ratelimit-limit"), "");
    }
    EXPECT_EQ(api.get(list, "admin", {{"if-none-match", "\"x\", *"}}).status, 200) << "a star counts alone";
    EXPECT_EQ(api.get(list, "admin", {{"if-modified-since", "Fri, 09 Jan 2026 13:00:00 GMT"}}).status, 304);
    EXPECT_EQ(api.get(list, "admin", {{"if-none-match", "\"other\""}}).status, 200);
}

TEST(Cached, isForThoseWhoMaySeeIt) {
    TestApi api;
    api.write({span("a").input("secret")});
    EXPECT_NE(api.get("/api/v1/traces", "developer").body.find("secret"), std::string::npos);
    EXPECT_EQ(api.get("/api/v1/traces", "viewer").body.find("secret"), std::string::npos);
    EXPECT_EQ(api.get("/api/v1/traces", "homeless").status, 400);
    EXPECT_EQ(api.get("/api/v1/traces", "old").status, 401);
    EXPECT_EQ(api.get("/api/v1/traces", "developer").at("/meta/cached"), "true");
    EXPECT_EQ(api.get("/api/v1/traces", "viewer").at("/meta/cached"), "true");
}

TEST(Cached, answersSearchesToo) {
    TestApi api;
    api.write({span("a")});
    const std::string body = R"({"filters":{"field":"span_name","operator":"eq","value":"a"}})";
    EXPECT_EQ(api.search(body).at("/meta/cached"), "false");
    EXPECT_EQ(api.search(body).at("/meta/cached"), "true");
    EXPECT_EQ(api.search("{}").at("/meta/cached"), "false") << "another question";
}

TEST(Cached, isTheFirstPageAlone) {
    TestApi api;
    api.write({span("a"), span("b").at(1s)});
    const std::string page = "/api/v1/traces?limit=1&cursor=";
    std::string cursor;
    for (const char c : api.get("/api/v1/traces?limit=1").cursor())
        cursor += c == '+' ? "%2B" : c == '=' ? "%3D" : std::string(1, c);
    EXPECT_EQ(api.get(page + cursor).names(), "a");
    EXPECT_EQ(api.get(page + cursor).at("/meta/cached"), "false");
}

TEST(Cached, refusalsAreNot) {
    TestApi api;
    EXPECT_EQ(api.get("/api/v1/traces/0123").status, 404);
    api.write({span("a").trace("t")});
    const Answer answer = api.get("/api/v1/traces?limit=0");
    EXPECT_EQ(answer.headers.get("etag"), "");
    EXPECT_EQ(answer.headers.get("cache-control"), "private, no-store");
}

}  // namespace
}  // namespace obs::serve::test
