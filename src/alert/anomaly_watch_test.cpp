#include "alert/anomaly_watch.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace obs::alert {
namespace {

constexpr UnixNanos noon{1'767'960'000'000'000'000};

Watch::Seen seen(double shortest, double middle = 0, double longest = 0) {
    const auto judged = [](double deviation) { return Judgement{.deviation = deviation}; };
    return {judged(shortest), judged(middle), judged(longest)};
}

std::string_view word(Watch::News news) {
    switch (news) {
        case Watch::News::none: return ".";
        case Watch::News::began: return "began";
        case Watch::News::worse: return "worse";
        case Watch::News::over: return "over";
    }
    return {};
}

struct WatchCase {
    std::string_view what;
    std::vector<Watch::Seen> looks;  // one a minute
    std::string_view news;
};
class Watches : public testing::TestWithParam<WatchCase> {};

TEST_P(Watches, tellOnce) {
    Watch watch;
    std::string news;
    UnixNanos at = noon;
    for (const Watch::Seen& look : GetParam().looks) {
        news += (news.empty() ? "" : " ") + std::string(word(watch.look(look, at)));
        at = at + Nanos::seconds(60);
    }
    EXPECT_EQ(news, GetParam().news);
}

const Watch::Seen calm = seen(0), high = seen(6), higher = seen(9), still = seen(3.5);
const Watch::Seen little = seen(0, 0, 7), nothing{};

INSTANTIATE_TEST_SUITE_P(
    Looks, Watches,
    testing::Values(WatchCase{"nothing_is_no_news", {calm, nothing, calm}, ". . ."},
                    WatchCase{"one_look_is_enough", {calm, high, high, high}, ". began . ."},
                    WatchCase{"it_gets_worse", {high, high, higher, higher}, "began . worse ."},
                    WatchCase{
                        "a_few_calls_show_in_the_longest_window", {little, little, little}, "began . ."},
                    WatchCase{"it_goes_on_while_it_is_unusual",
                              {high, still, still, still, still, still, still, still},
                              "began . . . . . . ."},
                    WatchCase{"a_lull_does_not_end_it",
                              {high, calm, calm, high, calm, calm, calm, calm, calm},
                              "began . . . . . . . ."},
                    WatchCase{"it_is_over_after_five_minutes",
                              {high, calm, calm, calm, calm, calm, calm, calm},
                              "began . . . . . over ."},
                    WatchCase{"no_calls_end_it_too",
                              {high, nothing, nothing, nothing, nothing, nothing, nothing},
                              "began . . . . . over"},
                    WatchCase{"its_trace_in_longer_windows_is_no_other_one",
                              {high, calm, calm, calm, calm, calm, calm, little, little, little},
                              "began . . . . . over . . ."},
                    WatchCase{"it_can_come_again",
                              {high, calm, calm, calm, calm, calm, calm, high, high},
                              "began . . . . . over began ."}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Watch, knowsWhenItWasCalm) {
    Watch watch;
    watch.look(high, noon);
    for (int minute = 1; minute <= 6; ++minute) watch.look(calm, noon + Nanos::seconds(60 * minute));
    EXPECT_FALSE(watch.lasts());
    EXPECT_EQ(watch.calm_since(), noon + Nanos::seconds(60));
}

TEST(Watch, goesOnAfterARestart) {
    Watch watch;
    watch.resume(0, 6);
    EXPECT_TRUE(watch.lasts());
    EXPECT_EQ(watch.look(high, noon), Watch::News::none);
    EXPECT_EQ(watch.look(higher, noon), Watch::News::worse);
}

}  // namespace
}  // namespace obs::alert
