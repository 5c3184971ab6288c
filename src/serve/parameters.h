// What stands behind `?`, by a table: the same rows check what a client sent, give it out typed, and document
// it (openapi.h). A route has one table, a constexpr array:
//
//   constexpr ParameterInfo parameters[] = {
//       parameter::from, parameter::to, parameter::project_id,
//       {"limit", ParameterType::integer, "rows of a page", {.fallback = "50", .least = 1, .most = 1000}},
//       {"model", ParameterType::list, "model that answered", {.aliases = "models"}},
//   };
//   const Parameters given = OBS_ANSWER(Parameters::read(parameters, call.request.head.query, call.now));
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/question.h"
#include "serve/api_error.h"

namespace obs::serve {

enum class ParameterType : std::uint8_t {
    text,
    word,     // one of ParameterLimits::words, in any case
    list,     // texts separated by commas; given twice, they are joined
    words,    // a list of words
    integer,  // whole
    number,
    flag,      // true or false
    time,      // `now-1h`, RFC 3339, a date, seconds or milliseconds since 1970
    interval,  // `1h`, `5min`, `1day`
};

// Lists of names are separated by blanks, so that a table is constexpr.
struct ParameterLimits {
    std::string_view aliases{};   // other spellings
    std::string_view words{};     // what may be said, in the spelling that handlers read
    std::string_view fallback{};  // what counts when nothing is said, as a client would write it
    double least = 0;             // of a number
    // Of a number; of a text its bytes, of a list its items. Not said: 4 KiB, and 1,000 items.
    double most = std::numeric_limits<double>::infinity();
    bool required = false;
};

struct ParameterInfo {
    std::string_view name;
    ParameterType type;
    std::string_view meaning;
    ParameterLimits limits{};
};

// Tables with rows in common.
template <std::size_t A, std::size_t B>
constexpr auto operator+(const std::array<ParameterInfo, A>& a, const std::array<ParameterInfo, B>& b) {
    std::array<ParameterInfo, A + B> all{};
    for (std::size_t i = 0; i < A; ++i) all[i] = a[i];
    for (std::size_t i = 0; i < B; ++i) all[A + i] = b[i];
    return all;
}

// The parameters of one request. Thread-compatible; `table` outlives it.
class Parameters {
public:
    // Checks every value by its row. Unknown names are ignored, empty values count as not given. Refusals
    // name the parameter as the client spelled it.
    static ApiResult<Parameters> read(std::span<const ParameterInfo> table, std::string_view query,
                                      UnixNanos now);

    // Whether the client said something.
    bool has(std::string_view name) const;
    // How the client spelled the name; the name itself when it said nothing. For refusals.
    std::string_view spelled(std::string_view name) const;

    // What the client said, else the fallback, else nothing. The name is one of the table's, of that type.
    std::string_view text(std::string_view name) const;  // text, word; empty for nothing
    std::vector<std::string> list(std::string_view name) const;
    std::optional<std::int64_t> integer(std::string_view name) const;
    std::optional<double> number(std::string_view name) const;
    std::optional<bool> flag(std::string_view name) const;
    std::optional<Nanos> interval(std::string_view name) const;
    // `now` may differ from the one that the text was checked with: pages count from the first one's.
    ApiResult<std::optional<UnixNanos>> time(std::string_view name, UnixNanos now) const;

private:
    struct Given {
        const ParameterInfo* info;
        std::string spelled, text;
    };
    explicit Parameters(std::span<const ParameterInfo> table) : table_(table) {}
    ApiResult<void> add(std::string_view spelled, std::string text);
    const Given* given(std::string_view name) const;
    std::string_view said(std::string_view name) const;

    std::span<const ParameterInfo> table_;
    std::vector<Given> given_;
};

// The window of the parameters `from` and `to`: without `from` it begins `span` before its end, and it may be
// `most` long; without either there is no such bound. An end that is not said is now when `span` is given.
struct WindowRule {
    std::optional<Nanos> span{}, most{};
};
ApiResult<Window> window_of(const Parameters& parameters, UnixNanos now, WindowRule rule = {});

// `1h`, `60 minutes` in the spellings of the contract: a whole number of s, m, h, d or w in short or long.
std::optional<Nanos> interval_from(std::string_view text);

// Rows that many tables share.
namespace parameter {
inline constexpr ParameterInfo from{
    "from", ParameterType::time, "first moment of the window", {.aliases = "start_time"}};
inline constexpr ParameterInfo to{"to",
                                  ParameterType::time,
                                  "end of the window, not part of it; now when not said",
                                  {.aliases = "end_time"}};
inline constexpr ParameterInfo project_id{
    "project_id", ParameterType::text, "only this project, which the token must include", {.most = 200}};
inline constexpr ParameterInfo provider{
    "provider", ParameterType::list, "provider of the model", {.aliases = "providers"}};
inline constexpr ParameterInfo model{
    "model", ParameterType::list, "model that answered, or that was asked for", {.aliases = "models"}};
inline constexpr ParameterInfo environment{
    "environment", ParameterType::list, "deployment environment", {.aliases = "environments"}};
inline constexpr ParameterInfo user_id{"user_id", ParameterType::text, "end user"};
inline constexpr ParameterInfo session_id{"session_id", ParameterType::text, "conversation or session"};
inline constexpr ParameterInfo service_name{"service_name", ParameterType::text,
                                            "service that sent the span"};
inline constexpr ParameterInfo interval{"interval",
                                        ParameterType::interval,
                                        "length of one step of a series",
                                        {.aliases = "granularity", .fallback = "1h"}};
}  // namespace parameter

}  // namespace obs::serve
