// Query parameters by a table: what is taken, what is refused, and in whose words.
#include "serve/parameters.h"

#include <string>

#include <gtest/gtest.h>

namespace obs::serve {
namespace {

constexpr UnixNanos now{1'767'960'000'000'000'000};  // 2026-01-09T12:00:00Z

constexpr ParameterInfo table[] = {
    parameter::from,
    parameter::to,
    parameter::interval,
    {"limit",
     ParameterType::integer,
     "rows",
     {.aliases = "page_size top", .fallback = "50", .least = 1, .most = 1000}},
    {"min_cost", ParameterType::number, "dollars", {.least = 0}},
    {"sort_order", ParameterType::word, "direction", {.words = "asc desc", .fallback = "desc"}},
    {"include", ParameterType::words, "more", {.words = "children evaluations"}},
    {"model", ParameterType::list, "names", {.aliases = "models", .most = 3}},
    {"user_id", ParameterType::text, "user", {.most = 8}},
    {"compare", ParameterType::flag, "whether"},
};
constexpr ParameterInfo demanding[] = {{"dimension", ParameterType::text, "by what", {.required = true}}};

// What was understood, for tables of cases.
std::string understood(std::string_view query) {
    const auto given = Parameters::read(table, query, now);
    if (!given) {
        const ApiError& error = given.error();
        return fmt::format("{} {}", info_of(error.code).code, error.field);
    }
    std::string shown = fmt::format(
        "limit={} order={} models={} include={} user={}", *given->integer("limit"), given->text("sort_order"),
        fmt::join(given->list("model"), "|"), fmt::join(given->list("include"), "|"), given->text("user_id"));
    if (const auto cost = given->number("min_cost")) shown += fmt::format(" cost={}", *cost);
    if (const auto flag = given->flag("compare")) shown += fmt::format(" compare={}", *flag);
    return shown;
}

struct ReadCase {
    std::string what, query, expected;
};
class ParametersRead : public testing::TestWithParam<ReadCase> {};
TEST_P(ParametersRead, saysWhatWasMeant) {
    EXPECT_EQ(understood(GetParam().query), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Queries, ParametersRead,
    testing::Values(
        ReadCase{"nothing", "", "limit=50 order=desc models= include= user="},
        ReadCase{"empty_is_not_given",
                 "limit=&model=&compare=", "limit=50 order=desc models= include= user="},
        ReadCase{"unknown_is_ignored", "colour=red", "limit=50 order=desc models= include= user="},
        ReadCase{"an_alias", "top=7", "limit=7 order=desc models= include= user="},
        ReadCase{"words_in_any_case", "sort_order=ASC&include=Children,EVALUATIONS",
                 "limit=50 order=asc models= include=children|evaluations user="},
        ReadCase{"lists_are_joined", "model=a,b&models=c", "limit=50 order=desc models=a|b|c include= user="},
        ReadCase{"a_comma_is_no_empty_list", "model=,", "limit=50 order=desc models=, include= user="},
        ReadCase{"numbers_and_flags", "min_cost=0.25&compare=TRUE",
                 "limit=50 order=desc models= include= user= cost=0.25 compare=true"},
        ReadCase{"percent_signs", "user_id=a%20b%2Bc", "limit=50 order=desc models= include= user=a b+c"},
        ReadCase{"twice", "user_id=a&user_id=b", "INVALID_REQUEST user_id"},
        ReadCase{"twice_by_an_alias", "limit=1&top=2", "INVALID_REQUEST top"},
        ReadCase{"no_whole_number", "limit=1.5", "INVALID_FIELD_FORMAT limit"},
        ReadCase{"no_number", "top=many", "INVALID_FIELD_FORMAT top"},
        ReadCase{"too_small", "limit=0", "LIMIT_EXCEEDED limit"},
        ReadCase{"too_big", "limit=1001", "LIMIT_EXCEEDED limit"},
        ReadCase{"bigger_than_an_integer", "limit=99999999999999999999", "INVALID_FIELD_FORMAT limit"},
        ReadCase{"below_zero", "min_cost=-1", "INVALID_FIELD_FORMAT min_cost"},
        ReadCase{"not_finite", "min_cost=inf", "INVALID_FIELD_FORMAT min_cost"},
        ReadCase{"no_such_word", "sort_order=up", "INVALID_FIELD_VALUE sort_order"},
        ReadCase{"one_word_unknown", "include=children,cousins", "INVALID_FIELD_VALUE include"},
        ReadCase{"too_many_items", "model=a,b,c,d", "LIMIT_EXCEEDED model"},
        ReadCase{"too_long", "user_id=123456789", "LIMIT_EXCEEDED user_id"},
        ReadCase{"no_flag", "compare=perhaps", "INVALID_FIELD_FORMAT compare"},
        ReadCase{"no_time", "start_time=soon", "INVALID_FIELD_FORMAT start_time"},
        ReadCase{"no_interval", "granularity=1fortnight", "INVALID_FIELD_FORMAT granularity"}),
    [](const auto& test) { return test.param.what; });

TEST(Parameters, missesWhatIsRequired) {
    const auto given = Parameters::read(demanding, "x=1", now);
    ASSERT_FALSE(given);
    EXPECT_EQ(info_of(given.error().code).code, "MISSING_REQUIRED_FIELD");
    EXPECT_EQ(given.error().field, "dimension");
}

TEST(Parameters, readTimesAgainstTheClockTheyAreGiven) {
    const auto given = Parameters::read(table, "from=now-1h", now);
    ASSERT_TRUE(given);
    const UnixNanos later = now + Nanos::days(1);
    EXPECT_EQ(**given->time("from", now), now - Nanos::hours(1));
    EXPECT_EQ(**given->time("from", later), later - Nanos::hours(1));
    EXPECT_FALSE(*given->time("to", now));
}

struct IntervalCase {
    std::string text;
    std::int64_t seconds;  // 0: none
};
class Interval : public testing::TestWithParam<IntervalCase> {};
TEST_P(Interval, isANumberOfUnits) {
    const auto interval = interval_from(GetParam().text);
    EXPECT_EQ(interval.value_or(Nanos{}).count, Nanos::seconds(GetParam().seconds).count) << GetParam().text;
}
INSTANTIATE_TEST_SUITE_P(Spellings, Interval,
                         testing::Values(IntervalCase{"1min", 60}, IntervalCase{"1m", 60},
                                         IntervalCase{"1minute", 60}, IntervalCase{"5minutes", 300},
                                         IntervalCase{"1hour", 3600}, IntervalCase{"1h", 3600},
                                         IntervalCase{"1hr", 3600}, IntervalCase{"1day", 86'400},
                                         IntervalCase{"1D", 86'400}, IntervalCase{"0h", 0},
                                         IntervalCase{"h", 0}, IntervalCase{"", 0}, IntervalCase{"-1h", 0},
                                         IntervalCase{"1h1m", 0}, IntervalCase{"99999999999999999h", 0}));

struct WindowCase {
    std::string what, query, expected;
};
class WindowOf : public testing::TestWithParam<WindowCase> {};
TEST_P(WindowOf, followsItsRule) {
    const auto given = Parameters::read(table, GetParam().query, now);
    ASSERT_TRUE(given) << given.error().message;
    const auto window = window_of(*given, now, {.span = Nanos::days(7), .most = Nanos::days(365)});
    const std::string shown =
        window ? rfc3339(*window->from) + " " + rfc3339(*window->to)
               : fmt::format("{} {}", info_of(window.error().code).code, window.error().field);
    EXPECT_EQ(shown, GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    Windows, WindowOf,
    testing::Values(WindowCase{"nothing_said", "", "2026-01-02T12:00:00Z 2026-01-09T12:00:00Z"},
                    WindowCase{"from_alone", "from=now-1h", "2026-01-09T11:00:00Z 2026-01-09T12:00:00Z"},
                    WindowCase{"to_alone", "to=2025-06-08", "2025-06-01T00:00:00Z 2025-06-08T00:00:00Z"},
                    WindowCase{"both", "start_time=2025-01-01&end_time=2025-01-02",
                               "2025-01-01T00:00:00Z 2025-01-02T00:00:00Z"},
                    WindowCase{"turned_round", "from=2025-01-02&to=2025-01-01", "INVALID_DATE_RANGE from"},
                    WindowCase{"too_long", "from=2024-01-01", "INVALID_DATE_RANGE from"},
                    WindowCase{"longer_than_time_can_count", "start_time=1700-01-01&to=2261-01-01",
                               "INVALID_DATE_RANGE start_time"}),
    [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs::serve
