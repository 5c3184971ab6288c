#include "query/time_expression.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace obs::query {
namespace {

constexpr UnixNanos now{1'700'000'000'000'000'000};  // 2023-11-14T22:13:20Z

struct TimeCase {
    std::string what;
    std::string text;
    std::optional<std::string> expected;  // nothing: refused
};
class ParseTime : public testing::TestWithParam<TimeCase> {};

TEST_P(ParseTime, readsWhatClientsWrite) {
    const auto at = parse_time(GetParam().text, now);
    ASSERT_EQ(at.has_value(), GetParam().expected.has_value());
    if (at) {
        EXPECT_EQ(rfc3339(*at), *GetParam().expected);
    } else {
        EXPECT_EQ(at.error().kind, ErrorKind::invalid_input);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Spellings, ParseTime,
    testing::Values(TimeCase{"now", "now", "2023-11-14T22:13:20Z"},
                    TimeCase{"seconds_ago", "now-20s", "2023-11-14T22:13:00Z"},
                    TimeCase{"minutes_ago", "now-13m", "2023-11-14T22:00:20Z"},
                    TimeCase{"an_hour_ago", "now-1h", "2023-11-14T21:13:20Z"},
                    TimeCase{"days_ago", "now-7d", "2023-11-07T22:13:20Z"},
                    TimeCase{"weeks_ago", "now-2w", "2023-10-31T22:13:20Z"},
                    TimeCase{"nothing_ago", "now-0s", "2023-11-14T22:13:20Z"},
                    TimeCase{"rfc3339", "2025-10-01T08:45:26.5Z", "2025-10-01T08:45:26.500Z"},
                    TimeCase{"offset", "2025-10-01T08:45:26+02:00", "2025-10-01T06:45:26Z"},
                    TimeCase{"date", "2025-10-01", "2025-10-01T00:00:00Z"},
                    TimeCase{"epoch_seconds", "1699564800", "2023-11-09T21:20:00Z"},
                    TimeCase{"epoch_milliseconds", "1699564800123", "2023-11-09T21:20:00.123Z"},
                    TimeCase{"epoch_with_fraction", "1699564800.25", "2023-11-09T21:20:00.250Z"},
                    TimeCase{"epoch_zero", "0", "1970-01-01T00:00:00Z"},
                    TimeCase{"before_1970", "-1", "1969-12-31T23:59:59Z"}),
    [](const auto& test) { return test.param.what; });

INSTANTIATE_TEST_SUITE_P(Nonsense, ParseTime,
                         testing::Values(TimeCase{"word", "yesterdayish", {}}, TimeCase{"empty", "", {}},
                                         TimeCase{"unknown_unit", "now-1y", {}},
                                         TimeCase{"no_unit", "now-1", {}}, TimeCase{"no_count", "now-h", {}},
                                         TimeCase{"two_signs", "now--1h", {}},
                                         TimeCase{"future_by_plus", "now+1h", {}},
                                         TimeCase{"too_long_ago", "now-99999999999999w", {}},
                                         TimeCase{"below_the_first_year", "now-9000000000000000000s", {}},
                                         TimeCase{"month_13", "2025-13-01", {}},
                                         TimeCase{"no_number", "nan", {}}, TimeCase{"endless", "inf", {}},
                                         TimeCase{"nanoseconds", "1699564800000000000", {}},
                                         TimeCase{"hex", "0x10", {}}, TimeCase{"blank_behind", "now ", {}}),
                         [](const auto& test) { return test.param.what; });

}  // namespace
}  // namespace obs::query
