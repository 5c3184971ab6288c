#include "serve/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "query/time_expression.h"
#include "serve/query_string.h"

namespace obs::serve {

namespace {

constexpr std::size_t text_bytes = 4 * 1024;
constexpr std::size_t list_items = 1000;

bool same_word(std::string_view a, std::string_view b) {
    constexpr auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

// Calls `see` with each name of a list separated by blanks, until it returns true.
template <class See>
bool any_name(std::string_view names, See&& see) {
    while (!names.empty()) {
        const std::size_t end = std::min(names.find(' '), names.size());
        if (end > 0 && see(names.substr(0, end))) return true;
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return false;
}

// The word as the table spells it; empty if the table has no such word.
std::string_view known_word(std::string_view words, std::string_view said) {
    std::string_view known;
    any_name(words, [&](std::string_view word) {
        if (!same_word(word, said)) return false;
        known = word;
        return true;
    });
    return known;
}

std::string shown_words(std::string_view words) {
    std::string shown;
    any_name(words, [&](std::string_view word) {
        shown += (shown.empty() ? "" : ", ") + std::string(word);
        return false;
    });
    return shown;
}

bool is_list(ParameterType type) {
    return type == ParameterType::list || type == ParameterType::words;
}

std::vector<std::string> items_of(std::string_view text) {
    auto items = split_list(text);
    // A comma alone is no empty list: that would ask for everything.
    if (items.empty() && !text.empty()) items.emplace_back(text);
    return items;
}

template <class Number>
std::optional<Number> number_from(std::string_view text) {
    Number number{};
    const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string shown_range(const ParameterLimits& limits) {
    return std::isinf(limits.most) ? fmt::format("of {} or more", limits.least)
                                   : fmt::format("from {} to {}", limits.least, limits.most);
}

// One value against its row. `name` is what the client calls it.
class Check {
public:
    Check(const ParameterInfo& info, std::string_view name) : info_(info), name_(name) {}

    ApiResult<void> operator()(std::string& text, UnixNanos now) const {
        switch (info_.type) {
            case ParameterType::text: return length(text.size(), text_bytes, "bytes");
            case ParameterType::list: return length(items_of(text).size(), list_items, "items");
            case ParameterType::word: return word(text);
            case ParameterType::words: return words(text);
            case ParameterType::integer: return integer(text);
            case ParameterType::number: return number(text);
            case ParameterType::flag: return flag(text);
            case ParameterType::interval:
                if (interval_from(text)) return {};
                return refuse(ErrorCode::invalid_field_format, std::string(name_),
                              "{} is a number of minutes, hours, days or weeks like 5min, 1h or 1day", name_);
            case ParameterType::time:
                if (const auto at = query::parse_time(text, now); !at)
                    return refuse(ErrorCode::invalid_field_format, std::string(name_), "{}",
                                  at.error().message);
        }
        return {};
    }

private:
    ApiResult<void> length(std::size_t size, std::size_t otherwise, std::string_view what) const {
        const double most =
            std::isinf(info_.limits.most) ? static_cast<double>(otherwise) : info_.limits.most;
        if (static_cast<double>(size) >= info_.limits.least && static_cast<double>(size) <= most) return {};
        return refuse(ErrorCode::limit_exceeded, std::string(name_), "{} has {} {}; it may have {} to {}",
                      name_, size, what, info_.limits.least, most);
    }

    ApiResult<void> word(std::string& text) const {
        const std::string_view known = known_word(info_.limits.words, text);
        if (known.empty())
            return refuse(ErrorCode::invalid_field_value, std::string(name_), "{} is one of {}", name_,
                          shown_words(info_.limits.words));
        text = known;
        return {};
    }

    ApiResult<void> words(std::string& text) const {
        std::string all;
        for (std::string& one : items_of(text)) {
            const std::string asked = one;
            if (auto checked = word(one); !checked)
                return refuse(ErrorCode::invalid_field_value, std::string(name_), "{} knows {}, not \"{}\"",
                              name_, shown_words(info_.limits.words), std::string_view(asked).substr(0, 100));
            all += (all.empty() ? "" : ",") + one;
        }
        text = std::move(all);
        return length(items_of(text).size(), list_items, "items");
    }

    ApiResult<void> integer(std::string_view text) const {
        const auto value = number_from<std::int64_t>(text);
        if (!value)
            return refuse(ErrorCode::invalid_field_format, std::string(name_), "{} is a whole number {}",
                          name_, shown_range(info_.limits));
        return range(static_cast<double>(*value));
    }

    ApiResult<void> number(std::string_view text) const {
        const auto value = number_from<double>(text);
        if (!value || !std::isfinite(*value))
            return refuse(ErrorCode::invalid_field_format, std::string(name_), "{} is a number {}", name_,
                          shown_range(info_.limits));
        if (*value >= info_.limits.least && *value <= info_.limits.most) return {};
        return refuse(ErrorCode::invalid_field_format, std::string(name_), "{} is a number {}", name_,
                      shown_range(info_.limits));
    }

    ApiResult<void> range(double value) const {
        if (value >= info_.limits.least && value <= info_.limits.most) return {};
        return refuse(ErrorCode::limit_exceeded, std::string(name_), "{} is {}; it may be {}", name_, value,
                      shown_range(info_.limits));
    }

    ApiResult<void> flag(std::string& text) const {
        if (same_word(text, "true") || text == "1") {
            text = "true";
        } else if (same_word(text, "false") || text == "0") {
            text = "false";
        } else {
            return refuse(ErrorCode::invalid_field_format, std::string(name_), "{} is true or false", name_);
        }
        return {};
    }

    const ParameterInfo& info_;
    std::string_view name_;
};

const ParameterInfo* info_named(std::span<const ParameterInfo> table, std::string_view spelled) {
    const auto is_named = [&](std::string_view name) { return name == spelled; };
    for (const ParameterInfo& info : table)
        if (info.name == spelled || any_name(info.limits.aliases, is_named)) return &info;
    return nullptr;
}

// The whole time that can be said is longer than a Nanos.
UnixNanos earlier(UnixNanos at, Nanos by) {
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
    return at.since_epoch < least + by.count ? UnixNanos{least} : at - by;
}
bool longer(const Window& window, Nanos most) {
    return *window.from < earlier(*window.to, most);
}

}  // namespace

std::optional<Nanos> interval_from(std::string_view text) {
    struct Unit {
        std::string_view names;
        std::int64_t seconds;
    };
    constexpr Unit units[] = {{"s sec second seconds", 1},
                              {"m min minute minutes", 60},
                              {"h hr hour hours", 3600},
                              {"d day days", 86'400},
                              {"w week weeks", 7 * 86'400}};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto count = number_from<std::int64_t>(text.substr(0, digits));
    if (!count || *count == 0 || *count > 1'000'000) return std::nullopt;
    for (const Unit& unit : units)
        if (!known_word(unit.names, text.substr(digits)).empty())
            return Nanos::seconds(*count * unit.seconds);
    return std::nullopt;
}

ApiResult<Parameters> Parameters::read(std::span<const ParameterInfo> table, std::string_view query,
                                       UnixNanos now) {
    Parameters parameters(table);
    for (auto& [spelled, text] : parse_query(query)) OBS_ANSWER(parameters.add(spelled, std::move(text)));
    for (Given& given : parameters.given_) OBS_ANSWER(Check(*given.info, given.spelled)(given.text, now));
    for (const ParameterInfo& info : table)
        if (info.limits.required && !parameters.has(info.name))
            return refuse(ErrorCode::missing_required_field, std::string(info.name), "{} is missing: {}",
                          info.name, info.meaning);
    return parameters;
}

ApiResult<void> Parameters::add(std::string_view spelled, std::string text) {
    const ParameterInfo* info = info_named(table_, spelled);
    if (info == nullptr || text.empty()) return {};
    const auto before = std::ranges::find(given_, info, &Given::info);
    if (before == given_.end()) {
        given_.push_back({info, std::string(spelled), std::move(text)});
        return {};
    }
    if (!is_list(info->type))
        return refuse(ErrorCode::invalid_request, std::string(spelled), "{} is given twice", info->name);
    before->text += ',' + text;
    return {};
}

const Parameters::Given* Parameters::given(std::string_view name) const {
    for (const Given& given : given_)
        if (given.info->name == name) return &given;
    return nullptr;
}

bool Parameters::has(std::string_view name) const {
    return given(name) != nullptr;
}

std::string_view Parameters::spelled(std::string_view name) const {
    const Given* found = given(name);
    return found == nullptr ? name : found->spelled;
}

std::string_view Parameters::said(std::string_view name) const {
    if (const Given* found = given(name)) return found->text;
    const ParameterInfo* info = info_named(table_, name);
    return info == nullptr ? std::string_view() : info->limits.fallback;
}

std::string_view Parameters::text(std::string_view name) const {
    return said(name);
}

std::vector<std::string> Parameters::list(std::string_view name) const {
    return items_of(said(name));
}

std::optional<std::int64_t> Parameters::integer(std::string_view name) const {
    return number_from<std::int64_t>(said(name));
}

std::optional<double> Parameters::number(std::string_view name) const {
    return number_from<double>(said(name));
}

std::optional<bool> Parameters::flag(std::string_view name) const {
    const std::string_view text = said(name);
    return text.empty() ? std::nullopt : std::optional(text == "true");
}

std::optional<Nanos> Parameters::interval(std::string_view name) const {
    return interval_from(said(name));
}

ApiResult<std::optional<UnixNanos>> Parameters::time(std::string_view name, UnixNanos now) const {
    const std::string_view text = said(name);
    if (text.empty()) return std::nullopt;
    const auto at = query::parse_time(text, now);
    if (!at)
        return refuse(ErrorCode::invalid_field_format, std::string(spelled(name)), "{}", at.error().message);
    return std::optional(*at);
}

ApiResult<Window> window_of(const Parameters& parameters, UnixNanos now, WindowRule rule) {
    Window window{OBS_ANSWER(parameters.time("from", now)), OBS_ANSWER(parameters.time("to", now))};
    const std::string name(parameters.spelled(window.from ? "from" : "to"));
    if (rule.span && !window.to) window.to = std::max(now, window.from.value_or(now));
    if (rule.span && !window.from) window.from = earlier(*window.to, *rule.span);
    if (window.from && window.to && *window.from > *window.to)
        return refuse(ErrorCode::invalid_date_range, name, "from ({}) is after to ({})",
                      rfc3339(*window.from), rfc3339(*window.to));
    if (window.from && !window.to && *window.from > now + Nanos::days(1))
        return refuse(ErrorCode::invalid_date_range, name, "from ({}) lies in the future",
                      rfc3339(*window.from));
    if (rule.most && window.from && window.to && longer(window, *rule.most))
        return refuse(ErrorCode::invalid_date_range, name, "the window is longer than {} days",
                      rule.most->count / Nanos::days(1).count);
    return window;
}

}  // namespace obs::serve
