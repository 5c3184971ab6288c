#include "alert/anomaly_baseline.h"

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace obs::alert {
namespace {

using enum AnomalyMetric;

constexpr std::int64_t week = 168, day = 24;
constexpr std::int64_t now_hour = 491'100;  // some hour of 2026

// So many calls, each of two cents, 1,000 tokens, with a 95th percentile of two seconds and one error in 100.
CallFigures usual(double calls) {
    return {
        .calls = calls, .errors = calls / 100, .cost = calls * 0.02, .tokens = calls * 1000, .latency = 2000};
}

History history_of(std::int64_t hours, const std::function<CallFigures(std::int64_t)>& figures) {
    History history;
    for (std::int64_t hour = now_hour - hours; hour < now_hour; ++hour) history.set(hour, figures(hour));
    return history;
}

struct BaselineCase {
    std::string_view what;
    std::int64_t hours;
    std::function<CallFigures(std::int64_t)> figures;
    std::string_view season;  // empty: none
    double cost = 0;          // of an hour
};
class Baselines : public testing::TestWithParam<BaselineCase> {};

std::string_view word(Season season) {
    return season == Season::week ? "week" : season == Season::day ? "day" : "trailing";
}

TEST_P(Baselines, compareComparableHours) {
    const auto baseline = history_of(GetParam().hours, GetParam().figures).baseline(cost, now_hour);
    EXPECT_EQ(baseline ? word(baseline->season) : "", GetParam().season);
    if (baseline) {
        EXPECT_NEAR(baseline->usual, GetParam().cost, GetParam().cost / 100);
    }
}

CallFigures flat(std::int64_t) {
    return usual(600);
}
// Nobody works at night, and fewer on the last two days of seven.
CallFigures weekly(std::int64_t hour) {
    const double of_day = (hour - now_hour + 100 * week) % day < 12 ? 900 : 90;
    return usual((hour - now_hour + 100 * week) % week < 5 * day ? of_day : of_day / 3);
}

INSTANTIATE_TEST_SUITE_P(Histories, Baselines,
                         testing::Values(BaselineCase{"no_history", 0, flat, ""},
                                         BaselineCase{"two_hours_are_too_few", 2, flat, ""},
                                         BaselineCase{"a_morning", 5, flat, "trailing", 12},
                                         BaselineCase{"four_days", 4 * day + 1, flat, "day", 12},
                                         BaselineCase{"three_weeks", 3 * week + 1, flat, "week", 12},
                                         BaselineCase{"a_weekly_season", 5 * week + 2, weekly, "week", 18},
                                         BaselineCase{"a_season_of_days", 6 * day, weekly, "day", 6},
                                         BaselineCase{"bad_weeks_do_not_matter", 5 * week + 1,
                                                      [](std::int64_t hour) {
                                                          const bool bad = hour < now_hour - 3 * week - day;
                                                          return usual(bad ? 60'000 : 600);
                                                      },
                                                      "week", 12},
                                         BaselineCase{
                                             "an_outage_is_no_usual_hour", day,
                                             [](std::int64_t hour) { return usual(hour % 3 == 0 ? 600 : 0); },
                                             "trailing", 12}),
                         [](const auto& test) { return std::string(test.param.what); });

struct JudgeCase {
    std::string_view what;
    AnomalyMetric metric;
    Baseline baseline;
    CallFigures window;
    std::int64_t seconds;
    std::string_view verdict;  // `calm`, a severity, or empty: nobody can tell
};
class Judgements : public testing::TestWithParam<JudgeCase> {};

TEST_P(Judgements, tellSpikesFromChance) {
    const JudgeCase& c = GetParam();
    // The same in both halves.
    CallFigures half{.calls = c.window.calls / 2,
                     .errors = c.window.errors / 2,
                     .cost = c.window.cost / 2,
                     .tokens = c.window.tokens / 2};
    half.latency = c.window.latency;
    const Stretch halves[] = {{half, Nanos::seconds(c.seconds / 2)}, {half, Nanos::seconds(c.seconds / 2)}};
    const auto judged = judge(c.metric, halves, c.baseline);
    std::string_view verdict;
    if (judged) verdict = judged->deviation < 5 ? "calm" : name_of(severity_of(*judged));
    EXPECT_EQ(verdict, c.verdict) << (judged ? judged->deviation : 0);
}

constexpr Baseline costs{.usual = 12, .spread = 1, .calls = 600};              // ten calls a minute
constexpr Baseline busy{.usual = 1200, .spread = 60, .calls = 60'000};         // a thousand
constexpr Baseline rare{.usual = 0.04, .spread = 0, .calls = 2};               // two an hour
constexpr Baseline slow{.usual = 2000, .spread = 100, .calls = 600};           // milliseconds
constexpr Baseline errors_one{.usual = 0.01, .spread = 0.002, .calls = 6000};  // of 100
constexpr Baseline errors_none{.usual = 0, .spread = 0, .calls = 6000};
constexpr Baseline free_calls{.usual = 0, .spread = 0, .calls = 600};

CallFigures errors(double calls, double failed) {
    return {.calls = calls, .errors = failed, .cost = 0, .tokens = 0};
}
CallFigures took(double calls, double milliseconds) {
    return {.calls = calls, .errors = 0, .cost = 0, .tokens = 0, .latency = milliseconds};
}

INSTANTIATE_TEST_SUITE_P(
    Windows, Judgements,
    testing::Values(
        JudgeCase{"as_usual", cost, costs, usual(10), 60, "calm"},
        JudgeCase{"five_times_as_much", cost, costs, usual(50), 60, "high"},
        JudgeCase{"six_times_as_much", cost, costs, usual(60), 60, "critical"},
        JudgeCase{"twice_as_much_of_few_may_be_chance", cost, costs, usual(20), 60, "calm"},
        JudgeCase{"twice_as_much_of_many_is_not", cost, busy, usual(2100), 60, "medium"},
        JudgeCase{"a_dip", cost, busy, usual(100), 60, "calm"}, JudgeCase{"no_calls", cost, busy, {}, 60, ""},
        JudgeCase{"nothing_is_usual_and_cents_are_little", cost, free_calls, usual(9), 60, "calm"},
        JudgeCase{"nothing_is_usual_and_dollars_are_much", cost, free_calls, usual(100), 60, "critical"},
        JudgeCase{"two_calls_for_one", cost, rare, usual(2), 900, "calm"},
        JudgeCase{
            "one_dear_call", cost, rare, {.calls = 1, .errors = 0, .cost = 5, .tokens = 0}, 60, "critical"},
        JudgeCase{"one_call_of_some_cents",
                  cost,
                  rare,
                  {.calls = 1, .errors = 0, .cost = 0.5, .tokens = 0},
                  60,
                  "calm"},
        JudgeCase{"tokens_like_costs",
                  tokens,
                  {.usual = 600'000, .spread = 50'000, .calls = 600},
                  usual(50),
                  60,
                  "high"},
        JudgeCase{"slower_calls", latency, slow, took(100, 10'000), 60, "high"},
        JudgeCase{"a_little_slower", latency, slow, took(100, 2600), 60, "calm"},
        JudgeCase{"slow_but_few", latency, slow, took(10, 60'000), 60, ""},
        JudgeCase{"nobody_knows_how_long", latency, slow, usual(0), 60, ""},
        JudgeCase{"faster_calls", latency, slow, took(100, 20), 60, "calm"},
        JudgeCase{"twenty_milliseconds_are_nothing",
                  latency,
                  {.usual = 2, .spread = 0, .calls = 600},
                  took(100, 22),
                  60,
                  "calm"},
        JudgeCase{"errors_as_usual", error_rate, errors_one, errors(100, 1), 60, "calm"},
        JudgeCase{"one_in_ten_fails", error_rate, errors_one, errors(100, 10), 60, "high"},
        JudgeCase{"one_in_five_fails", error_rate, errors_none, errors(100, 20), 60, "critical"},
        JudgeCase{"two_of_twenty_fail", error_rate, errors_none, errors(20, 2), 60, "calm"},
        JudgeCase{"three_calls_fail", error_rate, errors_none, errors(3, 3), 60, ""}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(Judgements, oneCallIsNoSpike) {
    const CallFigures calm = usual(5), dear{.calls = 5, .errors = 0, .cost = 0.9, .tokens = 5000};
    const Stretch window[] = {{dear, Nanos::seconds(30)}, {calm, Nanos::seconds(30)}};
    EXPECT_EQ(judge(cost, window, costs)->deviation, 0);
    const Stretch spike[] = {{dear, Nanos::seconds(30)}, {dear, Nanos::seconds(30)}};
    EXPECT_GE(judge(cost, spike, costs)->deviation, 5);
}

// Calls at random times, each of another size, a morning and an evening, for two weeks, judged every minute.
TEST(Judgements, noisyTrafficRaisesNothing) {
    std::mt19937_64 random(7);
    std::lognormal_distribution<double> price(-4.5, 1);
    const auto figures = [&](double mean) {
        CallFigures made{.calls = static_cast<double>(std::poisson_distribution<int>(mean)(random))};
        for (int call = 0; call < made.calls; ++call) made.cost += price(random);
        return made;
    };
    const auto rate = [](std::int64_t hour) {
        return 900 + 600 * std::sin(static_cast<double>(hour) * 0.2618);
    };
    History history;
    for (std::int64_t hour = now_hour - 5 * week; hour < now_hour; ++hour)
        history.set(hour, figures(rate(hour)));
    int raised = 0;
    for (std::int64_t hour = now_hour; hour < now_hour + 2 * week; ++hour) {
        const auto baseline = history.baseline(cost, hour);
        ASSERT_TRUE(baseline);
        CallFigures whole;
        for (int minute = 0; minute < 60; ++minute) {
            const Stretch window[] = {{figures(rate(hour) / 120), Nanos::seconds(30)},
                                      {figures(rate(hour) / 120), Nanos::seconds(30)}};
            for (const Stretch& half : window) whole.add(half.figures);
            const auto judged = judge(cost, window, *baseline);
            raised += judged && judged->deviation >= 5 ? 1 : 0;
        }
        history.set(hour, whole);
    }
    EXPECT_LE(raised, 3) << "of 20,160 minutes";
}

}  // namespace
}  // namespace obs::alert
