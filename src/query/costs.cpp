#include "query/costs.h"

#include <algorithm>
#include <future>
#include <map>
#include <utility>

namespace obs::query {

namespace {

constexpr std::size_t most_steps = 10'000;
constexpr std::size_t most_groups = 100'000;
// What changes are told from: two weeks of whole days, and the one that has begun.
constexpr Nanos look_back = Nanos::days(16);

std::vector<Aggregate> cost_aggregates() {
    return {count_of_calls("requests"),
            count_with("total_cost", "priced"),
            sum_of("total_cost", "total"),
            sum_of("prompt_cost", "prompt"),
            sum_of("completion_cost", "completion"),
            sum_of("total_tokens", "tokens"),
            sum_of("prompt_tokens", "prompt_tokens"),
            sum_of("completion_tokens", "completion_tokens")};
}

Costs costs_in(const FigureTable& table, std::size_t row) {
    Costs costs;
    costs.requests = table.count(row, "requests");
    costs.priced = table.count(row, "priced");
    costs.total = table.money(row, "total");
    costs.prompt = table.money(row, "prompt");
    costs.completion = table.money(row, "completion");
    costs.tokens = table.integer(row, "tokens");
    costs.prompt_tokens = table.integer(row, "prompt_tokens");
    costs.completion_tokens = table.integer(row, "completion_tokens");
    return costs;
}

// Nothing costs nothing.
Costs none() {
    return {.total = Usd{},
            .prompt = Usd{},
            .completion = Usd{},
            .tokens = 0,
            .prompt_tokens = 0,
            .completion_tokens = 0};
}
Costs or_none(Costs costs) {
    return costs.requests == 0 ? none() : costs;
}

FigureQuestion question_of(const CostQuestion& asked) {
    FigureQuestion question(asked.scope);
    question.filter = asked.filter;
    question.aggregates = cost_aggregates();
    question.up_to_seq = asked.up_to_seq;
    question.order_by = "total";
    question.limit = most_groups;
    return question;
}

std::vector<CostGroup> groups_in(const Table& cells, std::span<const Dimension> dimensions) {
    const FigureTable table(cells);
    std::vector<CostGroup> groups;
    for (std::size_t row = 0; row < table.size(); ++row) {
        CostGroup& group = groups.emplace_back();
        for (std::size_t at = 0; at < dimensions.size(); ++at)
            group.names.push_back(group_text(dimensions[at].field, table.cell(row, at)));
        group.costs = costs_in(table, row);
    }
    return groups;
}

CostBreakdown cut(std::vector<CostGroup> groups, std::size_t limit) {
    CostBreakdown breakdown;
    if (groups.size() > limit) {
        breakdown.others.emplace();
        for (std::size_t at = limit; at < groups.size(); ++at) breakdown.others->add(groups[at].costs);
        groups.resize(limit);
    }
    breakdown.groups = std::move(groups);
    return breakdown;
}

// Every step between the edges.
std::vector<CostPoint> points_in(const Table& cells, std::span<const UnixNanos> edges) {
    const FigureTable table(cells);
    std::vector<CostPoint> points;
    std::size_t row = 0;
    for (std::size_t at = 0; at + 1 < edges.size(); ++at) {
        CostPoint& point = points.emplace_back(CostPoint{edges[at], none()});
        if (row < table.size() && table.bucket(row) == edges[at]) point.costs = costs_in(table, row++);
    }
    return points;
}

template <class T>
void add_to(std::optional<T>& sum, const std::optional<T>& more) {
    if (more) sum = sum.value_or(T{}) + *more;
}
std::optional<Usd> minus(std::optional<Usd> a, std::optional<Usd> b) {
    return a ? std::optional(Usd{a->nanos - b.value_or(Usd{}).nanos}) : std::nullopt;
}
std::optional<std::int64_t> minus(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return a ? std::optional(*a - b.value_or(0)) : std::nullopt;
}

std::optional<double> change(Usd before, Usd after) {
    if (before.nanos <= 0) return std::nullopt;
    return static_cast<double>(after.nanos - before.nanos) / static_cast<double>(before.nanos);
}

// Costs by the number of the day.
using Days = std::map<std::int64_t, Costs>;

Usd sum_between(const Days& days, std::int64_t first, std::int64_t last) {
    Usd sum;
    for (auto at = days.lower_bound(first); at != days.end() && at->first < last; ++at)
        sum = sum + at->second.total.value_or(Usd{});
    return sum;
}

std::vector<CostDay> shown(const Days& days) {
    std::vector<CostDay> series;
    for (const auto& [day, costs] : days) series.push_back({date_of(day), or_none(costs)});
    return series;
}

Days by_week(const Days& days) {
    Days weeks;
    for (const auto& [day, costs] : days) weeks[monday_of(day)].add(costs);
    return weeks;
}

// The edges of days from long enough before the window; one more where the window begins.
Result<std::vector<UnixNanos>> trend_edges(const CostQuestion& asked) {
    const UnixNanos from = std::min(asked.from, asked.to - look_back);
    std::vector<UnixNanos> edges =
        OBS_TRY(bucket_edges(from, asked.to, Nanos::days(1), asked.calendar, most_steps));
    const auto place = std::ranges::lower_bound(edges, asked.from);
    if (place != edges.end() && *place != asked.from) edges.insert(place, asked.from);
    return edges;
}

// Of points that begin with days, and perhaps one with the window.
CostTrends trends_of(const std::vector<CostPoint>& points, const CostQuestion& asked, UnixNanos window_from) {
    Days all, of_window;
    for (const CostPoint& point : points) {
        const std::int64_t day = asked.calendar.day(point.at);
        all[day].add(point.costs);
        if (point.at >= window_from) of_window[day].add(point.costs);
    }
    const std::int64_t today = asked.calendar.day(asked.to);
    CostTrends trends;
    trends.day_over_day = change(sum_between(all, today - 2, today - 1), sum_between(all, today - 1, today));
    trends.week_over_week =
        change(sum_between(all, today - 14, today - 7), sum_between(all, today - 7, today));
    trends.daily = shown(of_window);
    trends.weekly = shown(by_week(of_window));
    return trends;
}

Result<void> add_trends(CostReport& report, const Figures& figures, const CostQuestion& asked,
                        const Cancel& cancel) {
    // The series is one of days, and goes back far enough.
    if (asked.interval == Nanos::days(1) && asked.to - asked.from >= look_back) {
        report.trends = trends_of(report.series, asked, report.series.front().at);
        return {};
    }
    FigureQuestion question = question_of(asked);
    question.edges = OBS_TRY(trend_edges(asked));
    question.sets = {{.by_time = true, .groups = {}}};
    const Window window{question.edges.front(), asked.to};
    const FigureAnswer answer = OBS_TRY(figures.answer(question, window, asked.now, cancel));
    report.trends = trends_of(points_in(answer.sets.front(), question.edges), asked, asked.from);
    report.source = together(report.source, answer.source);
    return {};
}

// The usual dimensions that rollups of minutes and hours know, and where each belongs.
struct Usual {
    const char* column;
    CostBreakdown CostReport::* breakdown;
};
constexpr Usual usual_ones[] = {{"model", &CostReport::by_model},
                                {"provider", &CostReport::by_provider},
                                {"service_name", &CostReport::by_service},
                                {"environment", &CostReport::by_environment}};

// The places of the dimensions among the usual ones, ascending; nothing when one is not among them.
std::optional<std::vector<std::size_t>> usual_places(std::span<const Dimension> dimensions) {
    std::vector<std::size_t> places;
    for (const Dimension& dimension : dimensions) {
        const auto* found = std::ranges::find_if(usual_ones, [&](const Usual& usual) {
            return dimension.field.column != nullptr && dimension.field.column->name == usual.column;
        });
        if (found == std::end(usual_ones)) return std::nullopt;
        places.push_back(static_cast<std::size_t>(found - usual_ones));
    }
    if (!std::ranges::is_sorted(places) || std::ranges::adjacent_find(places) != places.end())
        return std::nullopt;
    return places;
}

// One look for the total, the series and every breakdown that the same rollups can answer: their sums agree.
Result<void> ask_together(CostReport& report, const Figures& figures, const CostQuestion& asked,
                          bool with_breakdown, const Cancel& cancel) {
    FigureQuestion question = question_of(asked);
    question.sets = {{}};
    if (asked.interval) {
        question.edges =
            OBS_TRY(bucket_edges(asked.from, asked.to, *asked.interval, asked.calendar, most_steps));
        question.sets.push_back({.by_time = true, .groups = {}});
    }
    std::vector<Dimension> dimensions;
    for (const Usual& usual : usual_ones) dimensions.push_back(*dimension_from(usual.column));
    const std::size_t first = question.sets.size();
    if (asked.usual_breakdowns)
        for (std::size_t at = 0; at < std::size(usual_ones); ++at) question.sets.push_back({.groups = {at}});
    const std::size_t breakdown = question.sets.size();
    if (with_breakdown) question.sets.push_back({.groups = *usual_places(asked.group_by)});
    if (question.sets.size() > first)
        for (const Dimension& dimension : dimensions) question.group_by.push_back(dimension.field);

    const FigureAnswer answer = OBS_TRY(figures.answer(question, {asked.from, asked.to}, asked.now, cancel));
    report.source = answer.source;
    report.total = or_none(costs_in(FigureTable(answer.sets.front()), 0));
    if (asked.interval) report.series = points_in(answer.sets[1], question.edges);
    if (asked.usual_breakdowns)
        for (std::size_t at = 0; at < std::size(usual_ones); ++at)
            report.*usual_ones[at].breakdown =
                cut(groups_in(answer.sets[first + at], {&dimensions[at], 1}), asked.limit);
    if (with_breakdown)
        report.breakdown = cut(groups_in(answer.sets[breakdown], asked.group_by), asked.limit);
    return {};
}

}  // namespace

void Costs::add(const Costs& more) {
    requests += more.requests;
    priced += more.priced;
    add_to(total, more.total);
    add_to(prompt, more.prompt);
    add_to(completion, more.completion);
    add_to(tokens, more.tokens);
    add_to(prompt_tokens, more.prompt_tokens);
    add_to(completion_tokens, more.completion_tokens);
}

Costs Costs::without(const Costs& some) const {
    return {.requests = requests - some.requests,
            .priced = priced - some.priced,
            .total = minus(total, some.total),
            .prompt = minus(prompt, some.prompt),
            .completion = minus(completion, some.completion),
            .tokens = minus(tokens, some.tokens),
            .prompt_tokens = minus(prompt_tokens, some.prompt_tokens),
            .completion_tokens = minus(completion_tokens, some.completion_tokens)};
}

std::optional<double> Costs::per_request() const {
    if (!total || priced == 0) return std::nullopt;
    return static_cast<double>(total->nanos) / 1e9 / static_cast<double>(priced);
}

std::optional<double> Costs::per_1k_tokens() const {
    if (!total || priced == 0 || tokens.value_or(0) <= 0) return std::nullopt;
    return static_cast<double>(total->nanos) / 1e6 / static_cast<double>(*tokens);
}

std::optional<double> growth(const std::vector<CostDay>& series) {
    if (series.size() < 2) return std::nullopt;
    const auto count = static_cast<double>(series.size());
    double sum_x = 0, sum_y = 0, sum_xy = 0, sum_xx = 0;
    for (std::size_t at = 0; at < series.size(); ++at) {
        const auto x = static_cast<double>(at);
        const double y = static_cast<double>(series[at].costs.total.value_or(Usd{}).nanos) / 1e9;
        sum_x += x;
        sum_y += y;
        sum_xy += x * y;
        sum_xx += x * x;
    }
    return (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x * sum_x);
}

Result<CostGroups> cost_groups(const Figures& figures, const CostQuestion& asked, const Cancel& cancel) {
    FigureQuestion question = question_of(asked);
    std::vector<std::size_t> all;
    bool list = false;
    for (const Dimension& dimension : asked.group_by) {
        all.push_back(question.group_by.size());
        question.group_by.push_back(dimension.field);
        list = list || dimension.field.column->type == ColumnType::text_list;
    }
    question.sets = {{.groups = all}};
    FigureAnswer answer = OBS_TRY(figures.answer(question, {asked.from, asked.to}, asked.now, cancel));
    if (answer.sets.front().rows.size() >= most_groups)
        return fail(ErrorKind::too_large, "there are more than {} groups; narrow the question", most_groups);
    CostGroups groups;
    groups.groups = groups_in(answer.sets.front(), asked.group_by);
    groups.source = answer.source;
    // The groups of a list overlap: their sum is not the total.
    if (!list) {
        for (const CostGroup& group : groups.groups) groups.total.add(group.costs);
        groups.total = or_none(groups.total);
        return groups;
    }
    question.group_by.clear();
    question.sets = {{}};
    answer = OBS_TRY(figures.answer(question, {asked.from, asked.to}, asked.now, cancel));
    groups.total = or_none(costs_in(FigureTable(answer.sets.front()), 0));
    groups.source = together(groups.source, answer.source);
    return groups;
}

Result<CostDays> cost_days(const Figures& figures, const CostQuestion& asked, const Cancel& cancel) {
    FigureQuestion question = question_of(asked);
    question.edges = OBS_TRY(bucket_edges(asked.from, asked.to, Nanos::days(1), asked.calendar, most_steps));
    question.sets = {{.by_time = true, .groups = {}}};
    const FigureAnswer answer = OBS_TRY(figures.answer(question, {asked.from, asked.to}, asked.now, cancel));
    CostDays days;
    days.source = answer.source;
    for (const CostPoint& point : points_in(answer.sets.front(), question.edges))
        days.days.push_back({asked.calendar.date(point.at), point.costs});
    return days;
}

Result<CostReport> costs(const Figures& figures, const CostQuestion& given, const Cancel& cancel) {
    CostQuestion asked = given;
    asked.up_to_seq = figures.visible_seq();
    CostReport report;
    // Users are in other rollups than the rest. Both are asked at the same time: the store takes longer to
    // understand a question than to answer it.
    std::future<Result<CostGroups>> by_user;
    if (asked.usual_breakdowns)
        by_user = std::async(std::launch::async, [&figures, &cancel, users = asked]() mutable {
            users.group_by = {*dimension_from("user")};
            return cost_groups(figures, users, cancel);
        });
    const bool grouped = !asked.group_by.empty();
    const bool together_with_all = grouped && usual_places(asked.group_by).has_value();
    OBS_TRY_VOID(ask_together(report, figures, asked, together_with_all, cancel));
    if (grouped && !together_with_all) {
        CostGroups groups = OBS_TRY(cost_groups(figures, asked, cancel));
        report.breakdown = cut(std::move(groups.groups), asked.limit);
        report.source = together(report.source, groups.source);
    }
    if (asked.usual_breakdowns) {
        CostGroups groups = OBS_TRY(by_user.get());
        report.by_user = cut(std::move(groups.groups), asked.limit);
        report.source = together(report.source, groups.source);
    }
    if (asked.trends) OBS_TRY_VOID(add_trends(report, figures, asked, cancel));
    return report;
}

}  // namespace obs::query
