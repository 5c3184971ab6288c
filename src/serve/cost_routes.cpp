#include "serve/cost_routes.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "query/costs.h"
#include "query/forecast.h"

namespace obs::serve {

namespace {

using query::CostBreakdown;
using query::CostGroup;
using query::Costs;

constexpr WindowRule month{.span = Nanos::days(30), .most = Nanos::days(365)};
constexpr Nanos day = Nanos::days(1);

using Shared = AnalyticsShared;
using SharedParts = std::shared_ptr<const Shared>;

constexpr auto cost_parameters =
    call_filters + std::array{group_by_parameter,
                              ParameterInfo{"interval",
                                            ParameterType::interval,
                                            "length of one step of time_series",
                                            {.aliases = "granularity", .fallback = "1d"}},
                              ParameterInfo{"limit",
                                            ParameterType::integer,
                                            "groups of each breakdown; the others are summed up",
                                            {.fallback = "50", .least = 1, .most = 1000}}};

constexpr auto summary_parameters =
    call_filters +
    std::array{
        ParameterInfo{"include_trends", ParameterType::flag, "costs by day and week", {.fallback = "true"}},
        ParameterInfo{
            "include_top_traces", ParameterType::flag, "the calls that cost most", {.fallback = "true"}},
        ParameterInfo{"top_limit",
                      ParameterType::integer,
                      "how many of them, and groups of each breakdown",
                      {.fallback = "10", .least = 1, .most = 100}}};

constexpr auto attribution_parameters =
    call_filters +
    std::array{
        ParameterInfo{"dimension",
                      ParameterType::text,
                      "user, team, tag, provider, model, environment, service, project, session or another "
                      "groupable field",
                      {.most = 300, .required = true}},
        ParameterInfo{
            "limit", ParameterType::integer, "items", {.fallback = "100", .least = 1, .most = 1000}},
        ParameterInfo{"min_cost", ParameterType::number, "dollars that an item cost at least"},
        ParameterInfo{
            "format", ParameterType::word, "json or csv; else what Accept names", {.words = "json csv"}}};

constexpr auto forecast_parameters =
    call_filters +
    std::array{
        ParameterInfo{"historical_start", ParameterType::time,
                      "first day that is looked back to; 30 days back when not said"},
        ParameterInfo{"historical_end", ParameterType::time, "end of the past; now when not said"},
        ParameterInfo{"forecast_period",
                      ParameterType::word,
                      "how far to look ahead: 7, 30 or 90 days, or custom with days",
                      {.words = "next_week next_month next_quarter custom", .fallback = "next_month"}},
        ParameterInfo{"days",
                      ParameterType::integer,
                      "of a custom period",
                      {.aliases = "custom_days", .least = 1, .most = 365}},
        ParameterInfo{
            "include_confidence_intervals", ParameterType::flag, "bounds of each day", {.fallback = "true"}}};

// ----- pieces of JSON

double percentage(const std::optional<Usd>& part, const std::optional<Usd>& whole) {
    if (!part || !whole || whole->nanos == 0) return 0;
    return 100 * static_cast<double>(part->nanos) / static_cast<double>(whole->nanos);
}

// Beside what a row is named by.
void write_row(JsonWriter& json, const Costs& costs, const Costs& total) {
    optional_field(json, "cost", costs.total);
    json.field("requests", costs.requests);
    json.field("tokens", costs.tokens.value_or(0));
    if (costs.total && total.total) json.field("percentage", percentage(costs.total, total.total));
    optional_field(json, "avg_cost_per_request", costs.per_request());
    if (costs.priced != costs.requests) json.field("unpriced_requests", costs.requests - costs.priced);
}

void write_named(JsonWriter& json, std::string_view key, const CostBreakdown& breakdown, const Costs& total) {
    json.key(key).begin_array();
    for (const CostGroup& group : breakdown.groups) {
        json.begin_object().field("name", group.names.front());
        write_row(json, group.costs, total);
        json.end_object();
    }
    json.end_array();
}

void write_breakdown(JsonWriter& json, const CostBreakdown& breakdown,
                     const std::vector<query::Dimension>& dimensions, const Costs& total) {
    json.key("breakdown").begin_array();
    for (const CostGroup& group : breakdown.groups) {
        json.begin_object();
        for (std::size_t at = 0; at < dimensions.size(); ++at)
            json.field(dimensions[at].name, group.names[at]);
        write_row(json, group.costs, total);
        json.end_object();
    }
    json.end_array();
}

struct NamedBreakdown {
    std::string_view key;
    CostBreakdown query::CostReport::* breakdown;
};
constexpr NamedBreakdown named_breakdowns[] = {{"by_model", &query::CostReport::by_model},
                                               {"by_provider", &query::CostReport::by_provider},
                                               {"by_user", &query::CostReport::by_user},
                                               {"by_service", &query::CostReport::by_service},
                                               {"by_environment", &query::CostReport::by_environment}};

// What the groups that are not shown come to, for each breakdown that was cut.
void write_others(JsonWriter& json, const query::CostReport& report) {
    json.key("others").begin_object();
    const auto write = [&](std::string_view key, const CostBreakdown& breakdown) {
        if (!breakdown.others) return;
        json.key(key).begin_object();
        write_row(json, *breakdown.others, report.total);
        json.end_object();
    };
    write("breakdown", report.breakdown);
    for (const NamedBreakdown& named : named_breakdowns) write(named.key, report.*named.breakdown);
    json.end_object();
}

void write_overview(JsonWriter& json, const query::CostReport& report) {
    const Costs& total = report.total;
    json.key("overview").begin_object();
    optional_field(json, "total_cost", total.total);
    optional_field(json, "prompt_cost", total.prompt);
    optional_field(json, "completion_cost", total.completion);
    json.field("total_requests", total.requests);
    json.field("unpriced_requests", total.requests - total.priced);
    json.field("total_tokens", total.tokens.value_or(0));
    json.field("prompt_tokens", total.prompt_tokens.value_or(0));
    json.field("completion_tokens", total.completion_tokens.value_or(0));
    optional_field(json, "avg_cost_per_request", total.per_request());
    optional_field(json, "avg_cost_per_1k_tokens", total.per_1k_tokens());
    optional_field(json, "day_over_day_change", report.trends.day_over_day);
    optional_field(json, "week_over_week_change", report.trends.week_over_week);
    json.end_object();
}

void write_days(JsonWriter& json, std::string_view key, const std::vector<query::CostDay>& days) {
    json.key(key).begin_array();
    for (const query::CostDay& one : days) {
        json.begin_object().field("date", one.date);
        optional_field(json, "cost", one.costs.total);
        json.field("requests", one.costs.requests).end_object();
    }
    json.end_array();
}

void write_trends(JsonWriter& json, const query::CostTrends& trends) {
    json.key("trends").begin_object();
    write_days(json, "daily", trends.daily);
    write_days(json, "weekly", trends.weekly);
    optional_field(json, "growth_rate_daily", query::growth(trends.daily));
    optional_field(json, "growth_rate_weekly", query::growth(trends.weekly));
    json.end_object();
}

void write_series(JsonWriter& json, const std::vector<query::CostPoint>& series) {
    json.key("time_series").begin_array();
    for (const query::CostPoint& point : series) {
        json.begin_object().field("timestamp", rfc3339(point.at));
        optional_field(json, "total_cost", point.costs.total);
        optional_field(json, "prompt_cost", point.costs.prompt);
        optional_field(json, "completion_cost", point.costs.completion);
        json.field("request_count", point.costs.requests).end_object();
    }
    json.end_array();
}

void write_signals(JsonWriter& json, const AnalyticsParts& parts, const AnalyticsRequest& request) {
    json.key("budget_alerts").begin_array();
    if (parts.signals != nullptr)
        for (const query::BudgetAlert& alert :
             parts.signals->budget_alerts(request.scope, request.from, request.to)) {
            json.begin_object().field("id", alert.id).field("budget_id", alert.budget_id);
            json.field("severity", alert.severity).field("current_cost", alert.current);
            json.field("threshold_value", alert.threshold).field("percentage_used", alert.percentage_used);
            json.field("message", alert.message).field("triggered_at", rfc3339(alert.triggered_at));
            if (alert.resolved_at) json.field("resolved_at", rfc3339(*alert.resolved_at));
            json.end_object();
        }
    json.end_array().key("anomalies").begin_array();
    if (parts.signals != nullptr)
        for (const query::CostAnomaly& anomaly :
             parts.signals->anomalies(request.scope, request.from, request.to)) {
            json.begin_object().field("timestamp", rfc3339(anomaly.at)).field("dimension", anomaly.dimension);
            json.field("value", anomaly.value)
                .field("cost", anomaly.cost)
                .field("expected", anomaly.expected);
            json.field("deviation", anomaly.deviation).field("severity", anomaly.severity).end_object();
        }
    json.end_array();
}

// ----- routes

ApiResult<Reply> answer_costs(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(cost_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, month));
    auto question = question_of<query::CostQuestion>(request, call);
    question.interval = parameters.interval("interval");
    question.limit = static_cast<std::size_t>(*parameters.integer("limit"));
    const query::CostReport report = OBS_ANSWER(query::costs(shared.figures, question, call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, report.source);
    write_names(json, "group_by", request.group_by);
    json.field("interval", parameters.text("interval")).end_object();
    write_overview(json, report);
    optional_field(json, "total_cost", report.total.total);
    optional_field(json, "prompt_cost", report.total.prompt);
    optional_field(json, "completion_cost", report.total.completion);
    json.field("request_count", report.total.requests);
    optional_field(json, "avg_cost_per_request", report.total.per_request());
    write_breakdown(json, report.breakdown, request.group_by, report.total);
    for (const NamedBreakdown& named : named_breakdowns)
        write_named(json, named.key, report.*named.breakdown, report.total);
    write_others(json, report);
    write_series(json, report.series);
    write_trends(json, report.trends);
    write_signals(json, shared.parts, request);
    json.end_object();
    return reply;
}

ApiResult<SpanBatch> dearest_calls(const Shared& shared, const AnalyticsRequest& request, std::size_t limit,
                                   const Call& call) {
    const auto column = [](std::string_view name) { return find_column(TableId::spans, name); };
    RowQuestion question(request.scope);
    question.window = {request.from, request.to};
    question.filter.also(Filter::where({{column("is_call")}, Operator::eq, {std::int64_t{1}}}));
    question.filter.also(Filter::where({{column("total_cost")}, Operator::present, {}}));
    if (!request.filter.always()) question.filter.also(request.filter);
    for (const char* name : {"provider", "model", "total_cost", "total_tokens", "duration", "user_id"})
        question.columns.push_back(column(name));
    question.order = {{{column("total_cost")}, true}};
    question.limit = limit;
    question.up_to_seq = shared.parts.live.visible_seq();
    question.budget = {.time = Nanos::seconds(25), .rows = UINT64_MAX};
    Rows rows = OBS_ANSWER(shared.parts.store.rows(question, call.cancel));
    return std::move(std::get<SpanBatch>(rows.batch));
}

void write_top_traces(JsonWriter& json, const SpanBatch& calls) {
    json.key("top_traces").begin_array();
    for (std::size_t row = 0; row < calls.size(); ++row) {
        json.begin_object()
            .field("trace_id", calls.trace_id[row].hex())
            .field("span_id", calls.span_id[row].hex());
        json.field("timestamp", rfc3339(calls.ts[row])).field("provider", calls.provider[row]);
        json.field("model", calls.model[row]);
        optional_field(json, "cost", calls.total_cost[row]);
        if (const auto tokens = calls.total_tokens[row]) json.field("tokens", tokens->count);
        json.field("duration_ms", calls.duration[row].count / 1'000'000);
        if (!calls.user_id[row].empty()) json.field("user_id", calls.user_id[row]);
        json.end_object();
    }
    json.end_array();
}

ApiResult<Reply> answer_summary(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(summary_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, month));
    const auto top = static_cast<std::size_t>(*parameters.integer("top_limit"));
    auto question = question_of<query::CostQuestion>(request, call);
    question.limit = top;
    question.interval = day;
    const query::CostReport report = OBS_ANSWER(query::costs(shared.figures, question, call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, report.source);
    json.end_object();
    write_overview(json, report);
    for (const NamedBreakdown& named : named_breakdowns)
        write_named(json, named.key, report.*named.breakdown, report.total);
    write_others(json, report);
    if (*parameters.flag("include_trends")) write_trends(json, report.trends);
    if (*parameters.flag("include_top_traces"))
        write_top_traces(json, OBS_ANSWER(dearest_calls(shared, request, top, call)));
    json.end_object();
    return reply;
}

// ----- attribution

struct Item {
    std::string name;
    Costs costs;
    // Costs of its calls by provider and by model.
    std::vector<std::pair<std::string, Usd>> by_provider, by_model;
};

void write_shares(JsonWriter& json, std::string_view key,
                  const std::vector<std::pair<std::string, Usd>>& shares) {
    json.key(key).begin_object();
    for (const auto& [name, cost] : shares) json.field(name, cost);
    json.end_object();
}

std::string csv_number(const auto& value) {
    std::string text;
    JsonWriter(text).value(value);
    return text;
}

Reply attribution_csv(const std::vector<Item>& items, const Costs& total) {
    Reply reply{.content_type = "text/csv; charset=utf-8"};
    append_csv_line(reply.body, {"dimension_value", "total_cost", "prompt_cost", "completion_cost",
                                 "request_count", "total_tokens", "cost_percentage", "avg_cost_per_request"});
    const auto cell = [](const auto& value) { return value ? csv_number(*value) : std::string(); };
    for (const Item& item : items)
        append_csv_line(
            reply.body,
            {item.name, cell(item.costs.total), cell(item.costs.prompt), cell(item.costs.completion),
             csv_number(item.costs.requests), csv_number(item.costs.tokens.value_or(0)),
             csv_number(percentage(item.costs.total, total.total)), cell(item.costs.per_request())});
    return reply;
}

Reply attribution_json(const std::vector<Item>& items, const query::CostGroups& groups,
                       std::string_view dimension, const AnalyticsRequest& request, const Call& call) {
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object().field("dimension", dimension);
    write_metadata(json, request, call, groups.source);
    json.field("total_items", static_cast<std::int64_t>(groups.groups.size())).end_object();
    json.key("items").begin_array();
    for (const Item& item : items) {
        json.begin_object().field("dimension_value", item.name);
        optional_field(json, "total_cost", item.costs.total);
        optional_field(json, "prompt_cost", item.costs.prompt);
        optional_field(json, "completion_cost", item.costs.completion);
        json.field("request_count", item.costs.requests).field("total_tokens", item.costs.tokens.value_or(0));
        json.field("cost_percentage", percentage(item.costs.total, groups.total.total));
        optional_field(json, "avg_cost_per_request", item.costs.per_request());
        write_shares(json, "by_provider", item.by_provider);
        write_shares(json, "by_model", item.by_model);
        json.end_object();
    }
    json.end_array().key("summary").begin_object();
    optional_field(json, "total_cost", groups.total.total);
    json.field("total_requests", groups.total.requests);
    json.field("unpriced_requests", groups.total.requests - groups.total.priced);
    json.field("unique_items", static_cast<std::int64_t>(groups.groups.size()));
    if (groups.total.total && !groups.groups.empty())
        json.field("avg_cost_per_item", static_cast<double>(groups.total.total->nanos) / 1e9 /
                                            static_cast<double>(groups.groups.size()));
    json.end_object().end_object();
    return reply;
}

void add_share(std::vector<std::pair<std::string, Usd>>& shares, const std::string& name, Usd cost) {
    const auto known = std::ranges::find(shares, name, &std::pair<std::string, Usd>::first);
    if (known == shares.end())
        shares.emplace_back(name, cost);
    else
        known->second = known->second + cost;
}

// Adds what the shown items spent at each provider, and on each model.
ApiResult<void> add_shares(std::vector<Item>& items, const Shared& shared, query::CostQuestion question,
                           const Call& call) {
    if (items.empty()) return {};
    const query::Dimension own = question.group_by.front();
    // Only the items that are shown; those without a value cannot be named in a list.
    std::vector<Scalar> names;
    for (const Item& item : items)
        if (!item.name.empty()) names.emplace_back(item.name);
    const bool is_text = own.field.column->type != ColumnType::u8;
    const bool all_named = names.size() == items.size();
    if (is_text && all_named && names.size() <= 100) {
        Filter shown;
        shown.also(Filter::where({own.field, Operator::in, std::move(names)}));
        if (!question.filter.always()) shown.also(std::move(question.filter));
        question.filter = std::move(shown);
    }
    const auto place_of = [&](const char* name) {
        if (own.field.column->name == std::string_view(name)) return std::size_t{0};
        question.group_by.push_back(*query::dimension_from(name));
        return question.group_by.size() - 1;
    };
    question.group_by = {own};
    const std::size_t provider = place_of("provider"), model = place_of("model");
    const query::CostGroups groups = OBS_ANSWER(query::cost_groups(shared.figures, question, call.cancel));
    for (const CostGroup& group : groups.groups) {
        const auto item = std::ranges::find(items, group.names.front(), &Item::name);
        if (item == items.end() || !group.costs.total) continue;
        add_share(item->by_provider, group.names[provider], *group.costs.total);
        add_share(item->by_model, group.names[model], *group.costs.total);
    }
    return {};
}

ApiResult<Reply> answer_attribution(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(attribution_parameters, call.request.head.query, call.now));
    AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, month));
    const std::string dimension(parameters.text("dimension"));
    request.group_by = OBS_ANSWER(dimensions_of({dimension}, "dimension", request.reads_content));
    const auto question = question_of<query::CostQuestion>(request, call);
    query::CostGroups groups = OBS_ANSWER(query::cost_groups(shared.figures, question, call.cancel));
    if (const auto least = parameters.number("min_cost"))
        std::erase_if(groups.groups, [&](const CostGroup& group) {
            return static_cast<double>(group.costs.total.value_or(Usd{}).nanos) < *least * 1e9;
        });
    std::vector<Item> items;
    const auto limit = static_cast<std::size_t>(*parameters.integer("limit"));
    for (const CostGroup& group : groups.groups)
        if (items.size() < limit) items.push_back({group.names.front(), group.costs, {}, {}});
    if (wants_csv(parameters, call)) return attribution_csv(items, groups.total);
    OBS_ANSWER(add_shares(items, shared, question, call));
    return attribution_json(items, groups, dimension, request, call);
}

// ----- forecast

std::int64_t days_ahead(const Parameters& parameters) {
    const std::string_view period = parameters.text("forecast_period");
    if (period == "next_week") return 7;
    if (period == "next_quarter") return 90;
    if (period == "next_month") return 30;
    return parameters.integer("days").value_or(30);
}

// The past that is looked at: whole days, since a day that has not ended would look cheap.
ApiResult<void> take_history(AnalyticsRequest& request, const Parameters& parameters, const Call& call) {
    const auto start = OBS_ANSWER(parameters.time("historical_start", call.now));
    const auto end = OBS_ANSWER(parameters.time("historical_end", call.now));
    UnixNanos to = end ? *end : call.now;
    UnixNanos from = start ? *start : to - Nanos::days(30);
    if (!start && !end && (parameters.has("from") || parameters.has("to"))) {
        from = request.from;
        to = request.to;
    }
    const auto& calendar = request.calendar;
    request.from = calendar.start_of_day(from);
    request.to = calendar.start_of_day(to);
    const std::int64_t days = calendar.day(request.to) - calendar.day(request.from);
    if (from >= to || days < 1)
        return refuse(ErrorCode::invalid_date_range, "historical_start",
                      "there is no whole day from {} to {}", rfc3339(from), rfc3339(to));
    if (days < 7 || days > 365)
        return refuse(ErrorCode::limit_exceeded, "historical_start",
                      "the past has {} whole days; it may have 7 to 365", days);
    return {};
}

ApiResult<Reply> answer_forecast(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(forecast_parameters, call.request.head.query, call.now));
    AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, month));
    OBS_ANSWER(take_history(request, parameters, call));
    const query::CostDays past = OBS_ANSWER(
        query::cost_days(shared.figures, question_of<query::CostQuestion>(request, call), call.cancel));
    std::vector<query::CostDay> known = past.days;
    // Days before the first call say nothing.
    while (!known.empty() && known.front().costs.requests == 0) known.erase(known.begin());
    if (known.size() < 2)
        return refuse(ErrorCode::invalid_request, "historical_start",
                      "a forecast takes at least 2 days with calls; there are {}", known.size());
    std::vector<double> costs;
    for (const query::CostDay& one : known)
        costs.push_back(static_cast<double>(one.costs.total.value_or(Usd{}).nanos) / 1e9);
    const std::int64_t ahead = days_ahead(parameters);
    const query::Forecast forecast = query::forecast(costs, static_cast<std::size_t>(ahead));
    const bool bounds = *parameters.flag("include_confidence_intervals");

    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, past.source);
    json.field("historical_start", rfc3339(request.from)).field("historical_end", rfc3339(request.to));
    json.field("forecast_period", parameters.text("forecast_period")).field("forecast_days", ahead);
    json.field("model_type", "linear_regression").end_object();
    json.key("historical").begin_array();
    for (const query::CostDay& one : known) {
        json.begin_object().field("date", one.date);
        json.field("cost", one.costs.total.value_or(Usd{}))
            .field("requests", one.costs.requests)
            .end_object();
    }
    json.end_array().key("forecast").begin_array();
    const std::int64_t first = request.calendar.day(request.to);
    for (std::size_t at = 0; at < forecast.days.size(); ++at) {
        const query::ForecastDay& one = forecast.days[at];
        json.begin_object().field("date", query::date_of(first + static_cast<std::int64_t>(at)));
        json.field("forecasted_cost", one.cost);
        if (bounds) json.field("lower_bound", one.low).field("upper_bound", one.high);
        json.end_object();
    }
    json.end_array().key("summary").begin_object();
    json.field("total_forecasted_cost", forecast.total).field("avg_daily_cost", forecast.daily_average);
    json.field("projected_monthly_cost", forecast.daily_average * 30);
    optional_field(json, "r_squared", forecast.r_squared);
    optional_field(json, "mape", forecast.mape);
    json.end_object().end_object();
    return reply;
}

Route route(std::string_view pattern, const SharedParts& shared, AnalyticsAnswer answer, RouteDocs docs,
            std::chrono::seconds keep) {
    docs.tag = "costs";
    return analytics_route("GET", pattern, "read:costs", shared, answer, std::move(docs), keep);
}

}  // namespace

std::vector<Route> cost_routes(const AnalyticsParts& parts) {
    const SharedParts shared = share(parts);
    const RouteDocs costs{.summary = "What calls cost: in all, by whom and over time",
                          .parameters = cost_parameters,
                          .answer = "CostAnalytics"};
    std::vector<Route> routes;
    for (const char* pattern :
         {"/api/v1/analytics/costs", "/api/v1/costs/analytics", "/api/v1/costs/breakdown"})
        routes.push_back(route(pattern, shared, answer_costs, costs, std::chrono::seconds(60)));
    routes.push_back(route("/api/v1/costs/summary", shared, answer_summary,
                           {.summary = "Costs, their trends and the dearest calls",
                            .parameters = summary_parameters,
                            .answer = "CostSummary"},
                           std::chrono::seconds(3600)));
    // Accept decides its form, which the cache does not look at.
    routes.push_back(route("/api/v1/costs/attribution", shared, answer_attribution,
                           {.summary = "Who spent what: costs by one dimension, also as CSV",
                            .parameters = attribution_parameters,
                            .answer = "CostAttribution",
                            .or_as = "text/csv"},
                           std::chrono::seconds(0)));
    routes.push_back(route("/api/v1/costs/forecast", shared, answer_forecast,
                           {.summary = "What the days to come will cost, if they go on like the last ones",
                            .parameters = forecast_parameters,
                            .answer = "CostForecast"},
                           std::chrono::seconds(1800)));
    return routes;
}

}  // namespace obs::serve
