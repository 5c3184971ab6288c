#include "query/figures_calendar.h"

#include <algorithm>
#include <chrono>

#include <unicode/timezone.h>

namespace obs::query {

namespace {

constexpr std::int64_t day_length = Nanos::days(1).count;
// 1970-01-01 was a Thursday.
constexpr std::int64_t first_monday = -3;

constexpr std::int64_t floored(std::int64_t value, std::int64_t by) {
    return value / by - (value % by < 0 ? 1 : 0);
}

}  // namespace

struct Calendar::Zone {
    std::unique_ptr<icu::TimeZone> zone;

    // To be added to UTC (or, if `local`, that was added to it).
    std::int64_t offset(std::int64_t nanos, bool local) const {
        std::int32_t raw = 0, saving = 0;
        UErrorCode error = U_ZERO_ERROR;
        zone->getOffset(static_cast<double>(floored(nanos, 1'000'000)), local, raw, saving, error);
        return U_FAILURE(error) ? 0 : (std::int64_t{raw} + saving) * 1'000'000;
    }
};

Result<Calendar> Calendar::of(std::string_view zone) {
    Calendar calendar;
    if (zone.empty() || zone == "UTC" || zone == "Z") return calendar;
    const auto unknown = [] {
        return fail(ErrorKind::invalid_input,
                    "not a time zone; use a name of the IANA list, such as Europe/Berlin");
    };
    const bool plain = zone.size() <= 64 && std::ranges::all_of(zone, [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                  (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-' || c == '+';
                       });
    if (!plain) return unknown();
    const auto name =
        icu::UnicodeString::fromUTF8(icu::StringPiece(zone.data(), static_cast<int>(zone.size())));
    std::unique_ptr<icu::TimeZone> found(icu::TimeZone::createTimeZone(name));
    if (found == nullptr || *found == icu::TimeZone::getUnknown()) return unknown();
    calendar.zone_ = std::make_shared<const Zone>(Zone{std::move(found)});
    calendar.name_ = zone;
    return calendar;
}

std::int64_t Calendar::day(UnixNanos at) const {
    const std::int64_t offset = zone_ ? zone_->offset(at.since_epoch, false) : 0;
    return floored(at.since_epoch + offset, day_length);
}

UnixNanos Calendar::start_of(std::int64_t day) const {
    const std::int64_t local = day * day_length;
    return {local - (zone_ ? zone_->offset(local, true) : 0)};
}

std::string Calendar::date(UnixNanos at) const {
    return date_of(day(at));
}

std::int64_t monday_of(std::int64_t day) {
    return floored(day - first_monday, 7) * 7 + first_monday;
}

std::string date_of(std::int64_t day) {
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

Result<std::vector<UnixNanos>> bucket_edges(UnixNanos from, UnixNanos to, Nanos step,
                                            const Calendar& calendar, std::size_t most) {
    if (step.count <= 0) return fail(ErrorKind::invalid_input, "the interval must be positive");
    const std::int64_t buckets = (to - from).count / step.count;
    if (buckets > static_cast<std::int64_t>(most))
        return fail(ErrorKind::too_large,
                    "the window has {} steps of that interval; {} are the most, choose a "
                    "longer interval or a shorter window",
                    buckets, most);
    std::vector<UnixNanos> edges;
    if (step.count % day_length != 0) {
        std::int64_t at = floored(from.since_epoch, step.count) * step.count;
        for (; at < to.since_epoch; at += step.count) edges.push_back({at});
        edges.push_back({at});
        return edges;
    }
    const std::int64_t days = step.count / day_length;
    std::int64_t day = floored(calendar.day(from) - first_monday, days) * days + first_monday;
    for (; calendar.start_of(day) < to; day += days) edges.push_back(calendar.start_of(day));
    edges.push_back(calendar.start_of(day));
    return edges;
}

}  // namespace obs::query
