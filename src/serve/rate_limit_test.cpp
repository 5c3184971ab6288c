// The bucket in the process, the settings, and what a caller sees of both.
#include "serve/rate_limit.h"

#include <string>

#include <gtest/gtest.h>

#include "serve/test_api.h"

namespace obs::serve::test {
namespace {

constexpr UnixNanos start{1'767'960'000'000'000'000};

int allowed(RateLimiter& limiter, std::string_view user, std::int64_t rate, UnixNanos now, int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) count += limiter.take(user, rate, now)->allowed ? 1 : 0;
    return count;
}

TEST(LocalRateLimiter, givesAFifthMoreThanAMinuteAtOnce) {
    LocalRateLimiter limiter;
    EXPECT_EQ(allowed(limiter, "ann", 1000, start, 2000), 1200);
}

TEST(LocalRateLimiter, fillsAtTheRate) {
    LocalRateLimiter limiter;
    allowed(limiter, "ann", 1000, start, 1200);
    EXPECT_EQ(allowed(limiter, "ann", 1000, start + Nanos::seconds(6), 500), 100) << "a tenth of a minute";
    EXPECT_EQ(allowed(limiter, "ann", 1000, start + Nanos::seconds(3600), 2000), 1200) << "no more than full";
}

TEST(LocalRateLimiter, keepsUsersApart) {
    LocalRateLimiter limiter;
    allowed(limiter, "ann", 1000, start, 1200);
    EXPECT_FALSE(limiter.take("ann", 1000, start)->allowed);
    EXPECT_TRUE(limiter.take("bob", 1000, start)->allowed);
}

TEST(LocalRateLimiter, saysWhatIsLeftAndWhenToComeBack) {
    LocalRateLimiter limiter;
    const RateVerdict first = *limiter.take("ann", 10'000, start);
    EXPECT_EQ(first.limit, 10'000);
    EXPECT_EQ(first.remaining, 10'000) << "never above the limit";
    EXPECT_EQ(first.full_in.count, Nanos::milliseconds(6).count);
    allowed(limiter, "ann", 10'000, start, 11'999);
    const RateVerdict refused = *limiter.take("ann", 10'000, start);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.retry_in.count, Nanos::milliseconds(6).count);
    EXPECT_EQ(refused.full_in.count, Nanos::seconds(72).count);
    EXPECT_TRUE(limiter.take("ann", 10'000, start + refused.retry_in)->allowed);
}

TEST(LocalRateLimiter, survivesAClockThatIsSetBack) {
    LocalRateLimiter limiter;
    allowed(limiter, "ann", 1000, start, 1200);
    const UnixNanos before = start - Nanos::days(30);
    EXPECT_FALSE(limiter.take("ann", 1000, before)->allowed);
    EXPECT_TRUE(limiter.take("ann", 1000, before + Nanos::seconds(1))->allowed);
}

TEST(LocalRateLimiter, isBounded) {
    LocalRateLimiter limiter(64);
    for (int i = 0; i < 10'000; ++i) limiter.take("user" + std::to_string(i), 60, start);
    // Whoever is forgotten has a full bucket, and whoever spent it all is forgotten last.
    LocalRateLimiter small(8);
    allowed(small, "greedy", 60, start, 72);
    for (int i = 0; i < 100; ++i) small.take("user" + std::to_string(i), 60, start);
    EXPECT_FALSE(small.take("greedy", 60, start)->allowed);
}

struct LimitsCase {
    std::string what, text, expected;  // empty: refused
};
class RateLimitsFrom : public testing::TestWithParam<LimitsCase> {};
TEST_P(RateLimitsFrom, readsRoles) {
    const auto limits = rate_limits_from(GetParam().text);
    EXPECT_EQ(limits ? limits->text() : "", GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Texts, RateLimitsFrom,
    testing::Values(
        LimitsCase{"nothing", "", "admin=100000,developer=10000,viewer=1000,billing=1000,custom=1000"},
        LimitsCase{"some", "viewer=5,admin=0", "admin=0,developer=10000,viewer=5,billing=1000,custom=1000"},
        LimitsCase{"off", "off", "admin=0,developer=0,viewer=0,billing=0,custom=0"},
        LimitsCase{"unknown_role", "king=5", ""}, LimitsCase{"no_number", "viewer=many", ""},
        LimitsCase{"below_zero", "viewer=-1", ""}, LimitsCase{"no_role", "5", ""}),
    [](const auto& test) { return test.param.what; });

TEST(RateLimit, isToldWithEveryAnswer) {
    TestApi api;
    const Answer answer = api.get("/api/v1/fields", "developer");
    EXPECT_EQ(answer.headers.get("x-ratelimit-limit"), "10000");
    EXPECT_EQ(answer.headers.get("x-ratelimit-remaining"), "10000");
    EXPECT_EQ(answer.headers.get("x-ratelimit-reset"), "1767963601") << "the next whole second";
    EXPECT_EQ(api.get("/api/v1/traces?limit=0", "viewer").headers.get("x-ratelimit-limit"), "1000");
    EXPECT_EQ(api.ask("GET", "/alive", "", {}).headers.get("x-ratelimit-limit"), "")
        << "probes are not limited";
    EXPECT_EQ(api.ask("GET", "/api/v1/fields", "", {}).headers.get("x-ratelimit-limit"), "")
        << "who is unknown has no bucket";
}

TEST(RateLimit, refusesWhoAsksTooOften) {
    ApiOptions options;
    options.rates = *rate_limits_from("viewer=10,admin=0");
    TestApi api(options);
    // Whatever the path: one bucket for each user.
    for (int i = 0; i < 12; ++i)
        ASSERT_EQ(api.get(i % 2 == 0 ? "/api/v1/fields" : "/api/v1/traces", "viewer").status, 200) << i;
    const Answer refused = api.get("/api/v1/fields", "viewer");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.at("/error/code"), "\"RATE_LIMIT_EXCEEDED\"");
    EXPECT_EQ(refused.at("/error/number"), "1500");
    EXPECT_EQ(refused.at("/error/category"), "\"RATE_LIMIT\"");
    EXPECT_EQ(refused.headers.get("retry-after"), "6");
    EXPECT_EQ(refused.headers.get("x-ratelimit-remaining"), "0");
    const std::string metrics = api.ask("GET", "/metrics", "", {}).body;
    EXPECT_NE(metrics.find("rate_limit_exceeded_total{role=\"viewer\"} 1\n"), std::string::npos);
    EXPECT_EQ(api.get("/api/v1/fields", "admin").headers.get("x-ratelimit-limit"), "") << "not limited";
}

}  // namespace
}  // namespace obs::serve::test
