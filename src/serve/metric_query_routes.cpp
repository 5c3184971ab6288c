#include "serve/metric_query_routes.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <simdjson.h>

#include "query/condition.h"
#include "query/metrics.h"
#include "query/performance.h"
#include "query/time_expression.h"

namespace obs::serve {

namespace {

using query::MetricColumn;
using query::MetricRow;
using query::MetricValue;
using query::Performance;

constexpr WindowRule quarter{.span = Nanos::hours(24), .most = Nanos::days(90)};
constexpr std::size_t most_metrics = 20, most_having = 10, most_filters = 50;

using Shared = AnalyticsShared;
using SharedParts = std::shared_ptr<const Shared>;

constexpr std::string_view metric_words =
    "request_count duration total_cost prompt_cost completion_cost total_tokens prompt_tokens "
    "completion_tokens "
    "error_count success_count error_rate success_rate throughput time_to_first_token unique_users "
    "unique_sessions";
constexpr std::string_view aggregation_words = "avg sum min max count p50 p90 p95 p99 average total median";

constexpr auto metric_parameters =
    call_filters +
    std::array{ParameterInfo{"metrics",
                             ParameterType::words,
                             "names of metrics, at most 20",
                             {.words = metric_words, .most = most_metrics, .required = true}},
               parameter::interval, group_by_parameter,
               ParameterInfo{"aggregation",
                             ParameterType::word,
                             "of durations, tokens and costs; not said: what is usual for each",
                             {.words = aggregation_words}},
               ParameterInfo{"include_percentiles",
                             ParameterType::flag,
                             "p50, p95 and p99 of duration and time_to_first_token beside them",
                             {.fallback = "false"}}};

constexpr auto summary_parameters =
    call_filters + std::array{ParameterInfo{"compare_previous_period",
                                            ParameterType::flag,
                                            "the window of the same length before, and what changed",
                                            {.fallback = "true"}}};

void write_value(JsonWriter& json, std::string_view name, const MetricValue& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) json.field(name, *whole);
    if (const auto* number = std::get_if<double>(&value)) json.field(name, *number);
    if (const auto* money = std::get_if<Usd>(&value)) json.field(name, *money);
}

void write_rows(JsonWriter& json, const std::vector<MetricRow>& rows,
                const std::vector<query::Dimension>& groups, const std::vector<MetricColumn>& columns) {
    json.key("data").begin_array();
    for (const MetricRow& row : rows) {
        json.begin_object();
        if (row.at) json.field("timestamp", rfc3339(*row.at));
        for (std::size_t at = 0; at < groups.size(); ++at) json.field(groups[at].name, row.groups[at]);
        for (std::size_t at = 0; at < columns.size(); ++at)
            write_value(json, columns[at].name, row.values[at]);
        json.end_object();
    }
    json.end_array();
}

// ----- GET /metrics

std::vector<MetricColumn> columns_of(const Parameters& parameters) {
    const std::string_view aggregation = query::aggregation_from(parameters.text("aggregation"));
    std::vector<MetricColumn> columns;
    for (const std::string& name : parameters.list("metrics")) {
        if (std::ranges::find(columns, name, &MetricColumn::name) != columns.end()) continue;
        MetricColumn column{query::metric_named(name), aggregation, name};
        if (!column.fits()) column.aggregation = {};
        columns.push_back(std::move(column));
        if (!*parameters.flag("include_percentiles") || (name != "duration" && name != "time_to_first_token"))
            continue;
        for (const char* level : {"p50", "p95", "p99"})
            columns.push_back({query::metric_named(name), level, fmt::format("{}_{}", name, level)});
    }
    return columns;
}

ApiResult<Reply> answer_metrics(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(metric_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, quarter));
    auto question = question_of<query::MetricQuestion>(request, call);
    question.interval = parameters.interval("interval");
    question.columns = columns_of(parameters);
    const query::MetricAnswer answer = OBS_ANSWER(query::metrics(shared.figures, question, call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, answer.source);
    json.field("interval", parameters.text("interval")).key("metrics").begin_array();
    for (const std::string& name : parameters.list("metrics")) json.value(name);
    json.end_array();
    write_names(json, "group_by", request.group_by);
    json.field("percentiles", answer.exact ? "exact" : "sketch");
    json.field("total_points", static_cast<std::int64_t>(answer.rows.size())).end_object();
    write_rows(json, answer.rows, request.group_by, question.columns);
    json.end_object();
    return reply;
}

// ----- GET /metrics/summary

struct Period {
    UnixNanos from, to;
    query::PerformanceReport report;
    std::int64_t users = 0, sessions = 0;
};

ApiResult<Period> period_of(const Shared& shared, const AnalyticsRequest& request, UnixNanos from,
                            UnixNanos to, bool whole, const Call& call) {
    query::PerformanceQuestion question(request.scope);
    question.from = from;
    question.to = to;
    question.now = call.now;
    question.filter = request.filter;
    question.errors = whole;
    question.samples = request.reads_content;
    question.limit = 1000;
    if (whole) question.group_by = {*query::dimension_from("provider"), *query::dimension_from("model")};
    Period period{from, to, OBS_ANSWER(query::performance(shared.figures, question, call.cancel))};
    const auto distinct = [&](std::string_view column) {
        return query::distinct_in(shared.figures, request.scope, request.filter, from, to, call.now, column,
                                  call.cancel);
    };
    period.users = OBS_ANSWER(distinct("user_id"));
    period.sessions = OBS_ANSWER(distinct("session_id"));
    return period;
}

std::optional<double> success_rate(const Performance& figures) {
    const auto errors = figures.error_rate();
    return errors ? std::optional(1 - *errors) : std::nullopt;
}

void write_period(JsonWriter& json, std::string_view key, const Period& period) {
    const Performance& total = period.report.total;
    json.key(key).begin_object();
    json.field("start_time", rfc3339(period.from)).field("end_time", rfc3339(period.to));
    json.field("total_requests", total.requests);
    if (total.requests == 0) json.field("total_cost_usd", 0);
    optional_field(json, "total_cost_usd", total.cost);
    json.field("total_tokens", total.tokens.value_or(0));
    optional_field(json, "avg_duration_ms", total.latency.average);
    optional_field(json, "p95_duration_ms", total.latency.p95);
    optional_field(json, "error_rate", total.error_rate());
    optional_field(json, "success_rate", success_rate(total));
    json.field("unique_users", period.users).field("unique_sessions", period.sessions);
    json.end_object();
}

// In percent of what was before; 100 when there was nothing before and there is something now.
double change(double before, double after) {
    if (before == 0) return after == 0 ? 0 : 100;
    return 100 * (after - before) / before;
}

double dollars(const Performance& figures) {
    return static_cast<double>(figures.cost.value_or(Usd{}).nanos) / 1e9;
}

void write_changes(JsonWriter& json, const Performance& before, const Performance& after) {
    json.key("changes").begin_object();
    json.field("requests_change_pct",
               change(static_cast<double>(before.requests), static_cast<double>(after.requests)));
    json.field("cost_change_pct", change(dollars(before), dollars(after)));
    json.field("duration_change_pct",
               change(before.latency.average.value_or(0), after.latency.average.value_or(0)));
    json.field("error_rate_change_pct",
               change(before.error_rate().value_or(0), after.error_rate().value_or(0)));
    json.end_object();
}

using Weight = double (*)(const Performance&);
double all_requests(const Performance& figures) {
    return static_cast<double>(figures.requests);
}
double all_errors(const Performance& figures) {
    return static_cast<double>(figures.errors);
}
double all_time(const Performance& figures) {
    return figures.latency.average.value_or(0) * static_cast<double>(figures.requests);
}

struct TopList {
    std::string_view key;
    Weight order, value, share;
};
const TopList top_lists[] = {
    {"by_cost", dollars, dollars, dollars},
    {"by_requests", all_requests, all_requests, all_requests},
    {"by_duration", [](const Performance& p) { return p.latency.average.value_or(0); },
     [](const Performance& p) { return p.latency.average.value_or(0); }, all_time},
    {"by_errors", all_errors, all_errors, all_errors}};

void write_top(JsonWriter& json, const TopList& list, const query::PerformanceReport& report) {
    constexpr std::size_t most = 10;
    std::vector<const query::PerformanceGroup*> groups;
    for (const query::PerformanceGroup& group : report.groups)
        if (list.order(group.figures) > 0) groups.push_back(&group);
    std::ranges::stable_sort(groups, std::greater<>(),
                             [&](const auto* group) { return list.order(group->figures); });
    if (groups.size() > most) groups.resize(most);
    const double whole = list.share(report.total);
    json.key(list.key).begin_array();
    for (const query::PerformanceGroup* group : groups) {
        json.begin_object().field("provider", group->names[0]).field("model", group->names[1]);
        json.field("value", list.value(group->figures));
        json.field("percentage", whole > 0 ? 100 * list.share(group->figures) / whole : 0.0).end_object();
    }
    json.end_array();
}

void write_quality(JsonWriter& json, const query::PerformanceReport& report) {
    const Performance& total = report.total;
    json.key("quality").begin_object();
    json.field("error_count", total.errors).field("success_count", total.requests - total.errors);
    optional_field(json, "error_rate", total.error_rate());
    optional_field(json, "success_rate", success_rate(total));
    json.key("most_common_errors").begin_array();
    for (const query::ErrorType& error : report.errors) {
        json.begin_object().field("error_type", error.name.empty() ? "unknown" : error.name);
        json.field("count", error.count);
        json.field("percentage", 100 * static_cast<double>(error.count) /
                                     static_cast<double>(std::max<std::int64_t>(total.errors, 1)));
        if (!error.sample.empty()) json.field("sample_message", error.sample);
        json.end_object();
    }
    json.end_array().end_object();
}

ApiResult<Reply> answer_summary(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(summary_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, quarter));
    const Period current = OBS_ANSWER(period_of(shared, request, request.from, request.to, true, call));
    std::optional<Period> previous;
    if (*parameters.flag("compare_previous_period"))
        previous = OBS_ANSWER(period_of(shared, request, request.from - (request.to - request.from),
                                        request.from, false, call));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, current.report.source);
    json.field("percentiles", current.report.exact ? "exact" : "sketch").end_object();
    write_period(json, "current_period", current);
    if (previous) {
        write_period(json, "previous_period", *previous);
        write_changes(json, previous->report.total, current.report.total);
    }
    json.key("top_items").begin_object();
    for (const TopList& list : top_lists) write_top(json, list, current.report);
    json.end_object();
    write_quality(json, current.report);
    json.end_object();
    return reply;
}

// ----- POST /metrics/query

using simdjson::dom::element;

struct Having {
    std::size_t column;
    std::string op;
    double value;
};

// The body, member by member; refusals name the member.
class QueryBody {
public:
    QueryBody(const element& root, const Shared& shared, const Call& call)
        : root_(root), shared_(shared), call_(call) {}

    struct Asked {
        query::MetricQuestion question;
        AnalyticsRequest request;
        std::size_t shown_columns = 0;  // the first ones; the others are for `having`
        std::vector<Having> having{};
        std::size_t filters = 0;
        std::string interval{};
        std::string sort_field{};
        bool descending = true;
        std::size_t limit = 1000;
    };

    ApiResult<Asked> asked() {
        AnalyticsRequest request = OBS_ANSWER(read_request());
        std::size_t filters = 0;
        request.filter = OBS_ANSWER(read_filters(filters));
        Asked asked{question_of<query::MetricQuestion>(request, call_), request};
        asked.filters = filters;
        asked.question.columns = OBS_ANSWER(read_metrics());
        asked.shown_columns = asked.question.columns.size();
        OBS_ANSWER(read_interval(asked));
        OBS_ANSWER(read_having(asked));
        OBS_ANSWER(read_sort(asked));
        OBS_ANSWER(read_limit(asked));
        return asked;
    }

private:
    std::optional<element> member(const element& of, std::string_view key) const {
        element json;
        if (of[key].get(json) != simdjson::SUCCESS || json.is_null()) return std::nullopt;
        return json;
    }
    static std::unexpected<ApiError> wrong(std::string_view key, std::string_view what) {
        return refuse(ErrorCode::invalid_field_format, std::string(key), "{} is {}", key, what);
    }
    ApiResult<std::string> text(const element& of, std::string_view key) const {
        const auto json = member(of, key);
        std::string_view value;
        if (!json) return std::string();
        if (json->get(value) != simdjson::SUCCESS) return wrong(key, "a text");
        return std::string(value);
    }
    ApiResult<std::vector<element>> list(std::string_view key, std::size_t most) const {
        std::vector<element> items;
        const auto json = member(root_, key);
        if (!json) return items;
        simdjson::dom::array array;
        if (json->get(array) != simdjson::SUCCESS) return wrong(key, "a list");
        for (const element& item : array) items.push_back(item);
        if (items.size() > most)
            return refuse(ErrorCode::limit_exceeded, std::string(key), "{} has {} items; {} are the most",
                          key, items.size(), most);
        return items;
    }
    ApiResult<std::optional<UnixNanos>> time(std::string_view key, std::string_view alias) const {
        for (const std::string_view name : {key, alias}) {
            const auto json = member(root_, name);
            if (!json) continue;
            std::string_view words;
            const std::string written =
                json->get(words) == simdjson::SUCCESS ? std::string(words) : simdjson::minify(*json);
            const auto at = query::parse_time(written, call_.now);
            if (!at)
                return refuse(ErrorCode::invalid_field_format, std::string(name), "{}", at.error().message);
            return std::optional(*at);
        }
        return std::nullopt;
    }

    ApiResult<AnalyticsRequest> read_request() const {
        const std::string project = OBS_ANSWER(text(root_, "project_id"));
        const std::string zone = OBS_ANSWER(text(root_, "timezone"));
        AnalyticsRequest request{.scope = OBS_ANSWER(scope_of(*call_.principal, project)),
                                 .from = {},
                                 .to = {},
                                 .filter = {},
                                 .calendar = {},
                                 .group_by = {},
                                 .reads_content = content_for(*call_.principal) == query::Content::shown};
        request.to = OBS_ANSWER(time("end_time", "to")).value_or(call_.now);
        request.from = OBS_ANSWER(time("start_time", "from")).value_or(request.to - *quarter.span);
        if (request.from >= request.to)
            return refuse(ErrorCode::invalid_date_range, "start_time",
                          "start_time ({}) is not before end_time ({})", rfc3339(request.from),
                          rfc3339(request.to));
        if (request.from < request.to - *quarter.most)
            return refuse(ErrorCode::invalid_date_range, "start_time", "the window is longer than 90 days");
        request.calendar = OBS_ANSWER(calendar_of(shared_.parts, request.scope, zone));
        std::vector<std::string> words;
        for (const element& item : OBS_ANSWER(list("group_by", 5))) {
            std::string_view word;
            if (item.get(word) != simdjson::SUCCESS) return wrong("group_by", "a list of texts");
            words.emplace_back(word);
        }
        request.group_by = OBS_ANSWER(dimensions_of(words, "group_by", request.reads_content));
        return request;
    }

    ApiResult<MetricColumn> column(const element& item, std::string_view key) const {
        if (!item.is_object()) return wrong(key, "a list of objects {metric, aggregation}");
        const std::string name = OBS_ANSWER(text(item, "metric"));
        const query::MetricInfo* metric = query::metric_named(name);
        if (metric == nullptr)
            return refuse(ErrorCode::invalid_field_value, std::string(key), "there is no metric \"{}\"",
                          std::string_view(name).substr(0, 100));
        const std::string word = OBS_ANSWER(text(item, "aggregation"));
        MetricColumn column{metric, query::aggregation_from(word), OBS_ANSWER(text(item, "alias"))};
        if (!word.empty() && column.aggregation.empty())
            return refuse(ErrorCode::invalid_field_value, std::string(key), "an aggregation is one of {}",
                          aggregation_words);
        if (!column.fits())
            return refuse(ErrorCode::invalid_field_value, std::string(key), "{} has no {}", name, word);
        if (column.name.size() > 100) return wrong(key, "a list whose aliases have at most 100 bytes");
        if (column.name.empty())
            column.name = column.aggregation.empty() ? name : fmt::format("{}_{}", name, column.aggregation);
        return column;
    }

    ApiResult<std::vector<MetricColumn>> read_metrics() const {
        std::vector<MetricColumn> columns;
        for (const element& item : OBS_ANSWER(list("metrics", most_metrics))) {
            MetricColumn made = OBS_ANSWER(column(item, "metrics"));
            if (made.name == "timestamp" ||
                std::ranges::find(columns, made.name, &MetricColumn::name) != columns.end())
                return refuse(ErrorCode::invalid_field_value, "metrics", "two columns are called {}",
                              made.name);
            columns.push_back(std::move(made));
        }
        if (columns.empty())
            return refuse(ErrorCode::missing_required_field, "metrics",
                          "metrics is missing: a list of {{metric}}");
        return columns;
    }

    ApiResult<void> read_interval(Asked& asked) const {
        asked.interval = OBS_ANSWER(text(root_, "interval"));
        if (asked.interval.empty()) return {};
        asked.question.interval = interval_from(asked.interval);
        if (!asked.question.interval) return wrong("interval", "a length like 5min, 1h or 1day");
        return {};
    }

    ApiResult<Filter> read_filters(std::size_t& count) const {
        Filter all;
        for (const element& item : OBS_ANSWER(list("filters", most_filters))) {
            if (!item.is_object()) return wrong("filters", "a list of {dimension, operator, value}");
            const std::string name = OBS_ANSWER(text(item, "dimension"));
            const auto dimension = query::dimension_from(name);
            if (!dimension)
                return refuse(ErrorCode::invalid_field_value, "filters", "nothing can be filtered by \"{}\"",
                              std::string_view(name).substr(0, 100));
            OBS_ANSWER(
                dimensions_of({name}, "filters", content_for(*call_.principal) == query::Content::shown));
            all.also(OBS_ANSWER(condition(item, name)));
            ++count;
        }
        return all;
    }

    ApiResult<Filter> condition(const element& item, const std::string& name) const {
        const std::string word = OBS_ANSWER(text(item, "operator"));
        const auto op = query::operator_from(word.empty() ? "eq" : word);
        if (!op ||
            (*op != Operator::eq && *op != Operator::ne && *op != Operator::in && *op != Operator::not_in))
            return refuse(ErrorCode::invalid_field_value, "filters", "an operator is eq, ne, in or not_in");
        const auto json = member(item, "value");
        if (!json) return refuse(ErrorCode::missing_required_field, "filters", "a filter needs a value");
        std::vector<query::Value> values;
        simdjson::dom::array array;
        const bool many = json->get(array) == simdjson::SUCCESS;
        if (many != (*op == Operator::in || *op == Operator::not_in))
            return wrong("filters",
                         "a list whose values are lists for in and not_in, and single for eq and ne");
        const auto add = [&](const element& one) {
            std::string_view words;
            std::int64_t whole = 0;
            if (one.get(words) == simdjson::SUCCESS) return values.emplace_back(std::string(words)), true;
            if (one.get(whole) == simdjson::SUCCESS) return values.emplace_back(whole), true;
            return false;
        };
        bool good = true;
        if (many)
            for (const element& one : array) good = good && add(one);
        else
            good = add(*json);
        if (!good || values.empty())
            return wrong("filters", "a list whose values are texts or whole numbers");
        constexpr std::pair<std::string_view, std::string_view> words[] = {
            {"user", "user_id"},       {"service", "service_name"},
            {"session", "session_id"}, {"project", "project_id"},
            {"tag", "tags"},           {"team", "attributes.team.id"},
            {"status", "status_code"}, {"operation", "operation_type"}};
        const auto* known =
            std::ranges::find(words, name, &std::pair<std::string_view, std::string_view>::first);
        const auto field = query::find_field(
            TableId::spans, known == std::end(words) ? std::string_view(name) : known->second);
        auto filter = query::where(TableId::spans, *field, *op, values, call_.now);
        if (!filter)
            return refuse(ErrorCode::invalid_field_value, "filters", "{}: {}", name, filter.error().message);
        return std::move(*filter);
    }

    ApiResult<void> read_having(Asked& asked) const {
        for (const element& item : OBS_ANSWER(list("having", most_having))) {
            MetricColumn made = OBS_ANSWER(column(item, "having"));
            Having having{asked.question.columns.size(), OBS_ANSWER(text(item, "operator")), 0};
            constexpr std::string_view known[] = {"gt", "gte", "lt", "lte", "eq"};
            if (std::ranges::find(known, having.op) == std::end(known))
                return refuse(ErrorCode::invalid_field_value, "having",
                              "an operator is gt, gte, lt, lte or eq");
            const auto value = member(item, "value");
            if (!value || value->get(having.value) != simdjson::SUCCESS)
                return wrong("having", "a list whose values are numbers");
            asked.question.columns.push_back(std::move(made));
            asked.having.push_back(std::move(having));
        }
        return {};
    }

    ApiResult<void> read_sort(Asked& asked) const {
        const auto sort = member(root_, "sort_by");
        if (!sort) return {};
        if (!sort->is_object()) return wrong("sort_by", "an object {field, descending}");
        asked.sort_field = OBS_ANSWER(text(*sort, "field"));
        if (const auto json = member(*sort, "descending");
            json && json->get(asked.descending) != simdjson::SUCCESS)
            return wrong("sort_by", "an object whose descending is true or false");
        const auto& columns = asked.question.columns;
        const auto shown = columns.begin() + static_cast<std::ptrdiff_t>(asked.shown_columns);
        const bool known =
            (asked.sort_field == "timestamp" && asked.question.interval) ||
            std::find_if(columns.begin(), shown,
                         [&](const auto& one) { return one.name == asked.sort_field; }) != shown ||
            std::ranges::find(asked.request.group_by, asked.sort_field, &query::Dimension::name) !=
                asked.request.group_by.end();
        if (!known)
            return refuse(ErrorCode::invalid_field_value, "sort_by", "the answer has no column \"{}\"",
                          std::string_view(asked.sort_field).substr(0, 100));
        return {};
    }

    ApiResult<void> read_limit(Asked& asked) const {
        const auto json = member(root_, "limit");
        if (!json) return {};
        std::int64_t limit = 0;
        if (json->get(limit) != simdjson::SUCCESS) return wrong("limit", "a whole number from 1 to 10000");
        if (limit < 1 || limit > static_cast<std::int64_t>(query::most_metric_rows))
            return refuse(ErrorCode::limit_exceeded, "limit", "limit is {}; it may be from 1 to 10000",
                          limit);
        asked.limit = static_cast<std::size_t>(limit);
        return {};
    }

    element root_;
    const Shared& shared_;
    const Call& call_;
};

bool holds(const Having& having, const MetricRow& row) {
    const auto value = query::as_number(row.values[having.column]);
    if (!value) return false;
    if (having.op == "gt") return *value > having.value;
    if (having.op == "gte") return *value >= having.value;
    if (having.op == "lt") return *value < having.value;
    if (having.op == "lte") return *value <= having.value;
    return *value == having.value;
}

// Rows without a value come last, whatever the way.
void sort_rows(std::vector<MetricRow>& rows, const QueryBody::Asked& asked) {
    const std::string& field = asked.sort_field;
    if (field.empty()) return;
    const auto by = [&](const auto& key) {
        std::ranges::stable_sort(rows, [&](const MetricRow& a, const MetricRow& b) {
            const auto x = key(a), y = key(b);
            if (!x || !y) return x.has_value() && !y.has_value();
            return asked.descending ? *x > *y : *x < *y;
        });
    };
    if (field == "timestamp") return by([](const MetricRow& row) { return row.at; });
    const auto& columns = asked.question.columns;
    const auto column =
        static_cast<std::size_t>(std::ranges::find(columns, field, &MetricColumn::name) - columns.begin());
    if (column < asked.shown_columns)
        return by([&](const MetricRow& row) { return query::as_number(row.values[column]); });
    const auto& groups = asked.request.group_by;
    const auto group =
        static_cast<std::size_t>(std::ranges::find(groups, field, &query::Dimension::name) - groups.begin());
    by([&](const MetricRow& row) { return std::optional(row.groups[group]); });
}

ApiResult<Reply> answer_query(const Shared& shared, const Call& call) {
    const std::string_view body = call.request.body.view();
    simdjson::dom::parser parser;
    element root;
    simdjson::error_code fault = parser.allocate(std::max<std::size_t>(body.size(), 64), 64);
    if (fault == simdjson::SUCCESS) fault = parser.parse(body.data(), body.size()).get(root);
    if (fault != simdjson::SUCCESS)
        return refuse(ErrorCode::invalid_request, "", "the body is no JSON: {}",
                      simdjson::error_message(fault));
    if (!root.is_object()) return refuse(ErrorCode::invalid_request, "", "the body is a JSON object");
    const QueryBody::Asked asked = OBS_ANSWER(QueryBody(root, shared, call).asked());
    query::MetricAnswer answer = OBS_ANSWER(query::metrics(shared.figures, asked.question, call.cancel));
    for (const Having& having : asked.having)
        std::erase_if(answer.rows, [&](const MetricRow& row) { return !holds(having, row); });
    sort_rows(answer.rows, asked);
    const std::size_t found = answer.rows.size();
    if (found > asked.limit) answer.rows.resize(asked.limit);
    std::vector<MetricColumn> shown = asked.question.columns;
    shown.resize(asked.shown_columns, shown.front());
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, asked.request, call, answer.source);
    if (!asked.interval.empty()) json.field("interval", asked.interval);
    json.key("metrics").begin_array();
    for (const MetricColumn& column : shown) json.value(column.name);
    json.end_array();
    write_names(json, "group_by", asked.request.group_by);
    json.field("percentiles", answer.exact ? "exact" : "sketch");
    json.field("filters_applied", static_cast<std::int64_t>(asked.filters));
    json.field("having_conditions", static_cast<std::int64_t>(asked.having.size()));
    json.field("total_rows", static_cast<std::int64_t>(found)).end_object();
    write_rows(json, answer.rows, asked.request.group_by, shown);
    json.end_object();
    return reply;
}

Route route(std::string_view method, std::string_view pattern, std::string_view permission,
            const SharedParts& shared, AnalyticsAnswer answer, RouteDocs docs) {
    docs.tag = "metrics";
    return analytics_route(method, pattern, permission, shared, answer, std::move(docs),
                           std::chrono::seconds(method == "GET" ? 60 : 0));
}

}  // namespace

std::vector<Route> metric_query_routes(const AnalyticsParts& parts) {
    const SharedParts shared = share(parts);
    std::vector<Route> routes;
    routes.push_back(route("GET", "/api/v1/metrics", "read:metrics", shared, answer_metrics,
                           {.summary = "Metrics of model calls over time",
                            .parameters = metric_parameters,
                            .answer = "MetricSeries"}));
    routes.push_back(route("GET", "/api/v1/metrics/summary", "read:metrics", shared, answer_summary,
                           {.summary = "A window in figures, against the one before",
                            .parameters = summary_parameters,
                            .answer = "MetricSummary"}));
    routes.push_back(route("POST", "/api/v1/metrics/query", "query:metrics", shared, answer_query,
                           {.summary = "Metrics with filters, conditions and an order of one's own",
                            .body = "MetricQuery",
                            .answer = "MetricSeries"}));
    return routes;
}

}  // namespace obs::serve
