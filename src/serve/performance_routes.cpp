#include "serve/performance_routes.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "query/compare.h"
#include "query/performance.h"

namespace obs::serve {

namespace {

using query::Performance;

constexpr WindowRule week{.span = Nanos::days(7), .most = Nanos::days(365)};

using Shared = AnalyticsShared;
using SharedParts = std::shared_ptr<const Shared>;

constexpr auto performance_parameters =
    call_filters +
    std::array{group_by_parameter, parameter::interval,
               ParameterInfo{
                   "limit", ParameterType::integer, "groups", {.fallback = "50", .least = 1, .most = 1000}}};

constexpr auto quality_parameters =
    call_filters +
    std::array{parameter::interval,
               ParameterInfo{
                   "limit", ParameterType::integer, "models", {.fallback = "50", .least = 1, .most = 1000}}};

constexpr std::array compare_parameters{
    ParameterInfo{
        "models", ParameterType::list, "2 to 10 models", {.least = 2, .most = 10, .required = true}},
    parameter::from,
    parameter::to,
    parameter::project_id,
    parameter::provider,
    parameter::environment,
    parameter::user_id,
    parameter::service_name,
    ParameterInfo{"metrics",
                  ParameterType::words,
                  "what is compared; everything when not said",
                  {.words = "latency cost quality throughput token_usage"}},
    ParameterInfo{"timezone", ParameterType::text, "time zone", {.aliases = "time_zone", .most = 64}},
};

constexpr auto optimization_parameters = call_filters;

// ----- pieces of JSON

void write_latency(JsonWriter& json, const query::Latency& latency) {
    optional_field(json, "avg_latency_ms", latency.average);
    optional_field(json, "min_latency_ms", latency.least);
    optional_field(json, "max_latency_ms", latency.most);
    optional_field(json, "p50_latency_ms", latency.p50);
    optional_field(json, "p95_latency_ms", latency.p95);
    optional_field(json, "p99_latency_ms", latency.p99);
}

void write_ttft(JsonWriter& json, const Performance& figures) {
    json.key("ttft").begin_object();
    optional_field(json, "avg_ms", figures.ttft.average);
    optional_field(json, "p50_ms", figures.ttft.p50);
    optional_field(json, "p95_ms", figures.ttft.p95);
    optional_field(json, "p99_ms", figures.ttft.p99);
    json.field("count", figures.ttft_count).end_object();
}

void write_performance(JsonWriter& json, const Performance& figures) {
    json.field("request_count", figures.requests);
    write_latency(json, figures.latency);
    json.field("throughput_rps", figures.per_second());
    json.field("total_tokens", figures.tokens.value_or(0));
    optional_field(json, "tokens_per_second", figures.tokens_per_second);
    json.field("error_count", figures.errors);
    optional_field(json, "error_rate", figures.error_rate());
    write_ttft(json, figures);
}

void write_errors(JsonWriter& json, std::string_view key, const query::PerformanceReport& report) {
    json.key(key).begin_array();
    for (const query::ErrorType& error : report.errors) {
        json.begin_object().field("error_type", error.name.empty() ? "unknown" : error.name);
        json.field("count", error.count);
        json.field("percentage", 100 * static_cast<double>(error.count) /
                                     static_cast<double>(std::max<std::int64_t>(report.total.errors, 1)));
        if (!error.sample.empty()) json.field("sample_message", error.sample);
        json.end_object();
    }
    json.end_array();
}

void write_point(JsonWriter& json, const query::PerformancePoint& point) {
    json.begin_object().field("timestamp", rfc3339(point.at));
    json.field("request_count", point.figures.requests);
    write_latency(json, point.figures.latency);
    json.field("throughput_rps", point.figures.per_second());
    optional_field(json, "error_rate", point.figures.error_rate());
    optional_field(json, "ttft_p95_ms", point.figures.ttft.p95);
    json.field("total_tokens", point.figures.tokens.value_or(0)).end_object();
}

void write_groups(JsonWriter& json, const query::PerformanceReport& report,
                  const std::vector<query::Dimension>& dimensions) {
    json.key("groups").begin_array();
    for (const query::PerformanceGroup& group : report.groups) {
        json.begin_object();
        for (std::size_t at = 0; at < dimensions.size(); ++at)
            json.field(dimensions[at].name, group.names[at]);
        write_performance(json, group.figures);
        json.end_object();
    }
    json.end_array();
}

void write_percentiles_source(JsonWriter& json, bool exact) {
    json.field("percentiles", exact ? "exact" : "sketch");
}

query::PerformanceQuestion speed_question(const AnalyticsRequest& request, const Call& call) {
    auto question = question_of<query::PerformanceQuestion>(request, call);
    question.samples = request.reads_content;
    return question;
}

// ----- routes

ApiResult<Reply> answer_performance(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(performance_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, week));
    query::PerformanceQuestion question = speed_question(request, call);
    question.interval = parameters.interval("interval");
    question.limit = static_cast<std::size_t>(*parameters.integer("limit"));
    const query::PerformanceReport report =
        OBS_ANSWER(query::performance(shared.figures, question, call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, report.source);
    write_percentiles_source(json, report.exact);
    write_names(json, "group_by", request.group_by);
    json.field("interval", parameters.text("interval")).end_object();
    write_performance(json, report.total);
    write_errors(json, "errors_by_type", report);
    json.key("time_series").begin_array();
    for (const query::PerformancePoint& point : report.series) write_point(json, point);
    json.end_array();
    if (!request.group_by.empty()) write_groups(json, report, request.group_by);
    json.end_object();
    return reply;
}

std::optional<double> dollars(const std::optional<Usd>& amount) {
    return amount ? std::optional(static_cast<double>(amount->nanos) / 1e9) : std::nullopt;
}

std::optional<double> cost_per_call(const Performance& figures) {
    const auto cost = dollars(figures.cost);
    return cost && figures.priced > 0 ? std::optional(*cost / static_cast<double>(figures.priced))
                                      : std::nullopt;
}

void write_efficiency(JsonWriter& json, const query::QualityReport& report) {
    const Performance& total = report.performance.total;
    const double tokens = static_cast<double>(total.tokens.value_or(0));
    const auto cost = dollars(total.cost);
    json.key("token_efficiency").begin_object();
    if (total.requests > 0 && total.tokens)
        json.field("avg_tokens_per_request", tokens / static_cast<double>(total.requests));
    if (total.prompt_tokens.value_or(0) > 0 && total.completion_tokens)
        json.field("completion_to_prompt_ratio",
                   static_cast<double>(*total.completion_tokens) / static_cast<double>(*total.prompt_tokens));
    if (cost && *cost > 0) json.field("tokens_per_dollar", tokens / *cost);
    if (cost && tokens > 0) json.field("cost_per_1k_tokens", *cost * 1000 / tokens);
    optional_field(json, "truncated_rate", report.truncated_rate);
    json.end_object();
}

void write_scores(JsonWriter& json, const query::QualityReport& report) {
    json.key("quality_scores").begin_object();
    double sum = 0;
    std::size_t between = 0;
    for (const query::Evaluator& one : report.evaluators) {
        if (one.average < 0 || one.average > 1) continue;
        sum += one.average;
        ++between;
    }
    if (between > 0) json.field("overall", sum / static_cast<double>(between));
    bool judged = false;
    for (const query::Evaluator& one : report.evaluators) {
        judged = judged || one.name == "coherence";
        if (one.name != "overall") json.field(one.name, one.average);
    }
    // Ours, unless there is an evaluator of this name.
    if (!judged) optional_field(json, "coherence", report.coherence);
    json.end_object();
}

void write_moods(JsonWriter& json, const query::Moods& moods) {
    json.begin_object();
    if (moods.count > 0) {
        const auto count = static_cast<double>(moods.count);
        json.field("positive", static_cast<double>(moods.positive) / count);
        json.field("neutral", static_cast<double>(moods.count - moods.positive - moods.negative) / count);
        json.field("negative", static_cast<double>(moods.negative) / count);
        json.field("avg_score", moods.sum / count);
    }
    json.field("count", moods.count);
}

void write_sentiment(JsonWriter& json, const query::QualityReport& report) {
    const query::Moods &in = report.input, &out = report.output;
    json.key("sentiment");
    write_moods(json, {in.count + out.count, in.positive + out.positive, in.negative + out.negative,
                       in.sum + out.sum});
    for (const auto& [name, moods] : {std::pair("input", in), std::pair("output", out)}) {
        json.key(name);
        write_moods(json, moods);
        json.end_object();
    }
    json.end_object();
}

std::optional<double> success_rate(const Performance& figures) {
    const auto errors = figures.error_rate();
    return errors ? std::optional(1 - *errors) : std::nullopt;
}

ApiResult<Reply> answer_quality(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(quality_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, week));
    query::PerformanceQuestion question = speed_question(request, call);
    question.interval = parameters.interval("interval");
    question.limit = static_cast<std::size_t>(*parameters.integer("limit"));
    const query::QualityReport report = OBS_ANSWER(query::quality(shared.figures, question, call.cancel));
    const Performance& total = report.performance.total;
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, report.performance.source);
    json.field("interval", parameters.text("interval")).end_object();
    json.field("total_requests", total.requests).field("successful_requests", total.requests - total.errors);
    json.field("failed_requests", total.errors);
    optional_field(json, "success_rate", success_rate(total));
    optional_field(json, "error_rate", total.error_rate());
    optional_field(json, "avg_feedback_score", report.feedback);
    optional_field(json, "resolution_rate", report.resolution_rate);
    write_errors(json, "error_breakdown", report.performance);
    json.key("time_series").begin_array();
    for (const query::PerformancePoint& point : report.performance.series) {
        json.begin_object().field("timestamp", rfc3339(point.at));
        optional_field(json, "success_rate", success_rate(point.figures));
        optional_field(json, "error_rate", point.figures.error_rate());
        json.field("request_count", point.figures.requests).end_object();
    }
    json.end_array();
    write_scores(json, report);
    write_sentiment(json, report);
    write_efficiency(json, report);
    json.key("model_comparison").begin_array();
    for (const query::PerformanceGroup& group : report.performance.groups) {
        json.begin_object().field("provider", group.names[0]).field("model", group.names[1]);
        json.field("request_count", group.figures.requests);
        optional_field(json, "success_rate", success_rate(group.figures));
        optional_field(json, "quality_score", query::average_score(report.model_scores, [&](const auto& one) {
                           return one.provider == group.names[0] && one.model == group.names[1];
                       }));
        optional_field(json, "avg_cost_usd", cost_per_call(group.figures));
        optional_field(json, "avg_latency_ms", group.figures.latency.average);
        json.end_object();
    }
    json.end_array().end_object();
    return reply;
}

// ----- compare

bool asks(const std::vector<std::string>& metrics, std::string_view metric) {
    return metrics.empty() || std::ranges::find(metrics, metric) != metrics.end();
}

void write_model(JsonWriter& json, const query::ComparedModel& model,
                 const std::vector<std::string>& metrics) {
    const Performance& figures = model.figures;
    json.begin_object().field("model", model.name);
    json.field("provider", model.providers.empty() ? "N/A" : model.providers.front());
    if (model.providers.size() > 1) {
        json.key("providers").begin_array();
        for (const std::string& provider : model.providers) json.value(provider);
        json.end_array();
    }
    json.key("metrics").begin_object();
    if (asks(metrics, "latency")) {
        write_latency(json, figures.latency);
        optional_field(json, "ttft_p95_ms", figures.ttft.p95);
    }
    if (asks(metrics, "cost")) {
        optional_field(json, "avg_cost_usd", cost_per_call(figures));
        if (figures.requests == 0) json.field("total_cost_usd", 0);
        optional_field(json, "total_cost_usd", figures.cost);
    }
    if (asks(metrics, "quality")) {
        optional_field(json, "success_rate", success_rate(figures));
        optional_field(json, "error_rate", figures.error_rate());
        optional_field(json, "quality_score", model.quality);
    }
    json.field("request_count", figures.requests);
    if (asks(metrics, "token_usage")) json.field("total_tokens", figures.tokens.value_or(0));
    if (asks(metrics, "throughput")) json.field("throughput_rps", figures.per_second());
    json.end_object().end_object();
}

ApiResult<Reply> answer_compare(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(compare_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, week));
    const std::vector<std::string> metrics = parameters.list("metrics");
    std::vector<std::string> models;
    for (std::string& model : parameters.list("models"))
        if (std::ranges::find(models, model) == models.end()) models.push_back(std::move(model));
    if (models.size() < 2)
        return refuse(ErrorCode::limit_exceeded, "models", "models are 2 to 10 different names");
    const query::Comparison comparison =
        OBS_ANSWER(query::compare(shared.figures, speed_question(request, call), models, call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, comparison.source);
    write_percentiles_source(json, comparison.exact);
    json.end_object().key("models").begin_array();
    for (const query::ComparedModel& model : comparison.models) write_model(json, model, metrics);
    json.end_array().key("summary").begin_object();
    json.field("fastest_model", comparison.fastest).field("cheapest_model", comparison.cheapest);
    json.field("most_reliable_model", comparison.most_reliable);
    json.key("recommendations").begin_array();
    for (const std::string& one : comparison.recommendations) json.value(one);
    json.end_array().end_object().end_object();
    return reply;
}

// ----- optimization

struct Hint {
    std::string title, description;
    std::string_view impact, effort;
    std::optional<double> savings{};  // dollars in the window
    int priority = 1;
};

void write_hints(JsonWriter& json, std::string_view key, const std::vector<Hint>& hints) {
    json.key(key).begin_array();
    for (const Hint& hint : hints) {
        json.begin_object().field("title", hint.title).field("description", hint.description);
        json.field("impact", hint.impact);
        optional_field(json, "potential_savings", hint.savings);
        json.field("effort", hint.effort).field("priority", hint.priority).end_object();
    }
    json.end_array();
}

std::vector<Hint> cost_hints(const Performance& total) {
    const auto average = cost_per_call(total);
    if (!average || *average <= 0.01) return {};
    return {
        {.title = "Use a cheaper model where it suffices",
         .description = fmt::format("A call costs ${:.4f} on average; above $0.01 a smaller model, shorter "
                                    "prompts or cached input usually save about 30 %.",
                                    *average),
         .impact = "high",
         .effort = "medium",
         .savings = *dollars(total.cost) * 0.3}};
}

std::vector<Hint> speed_hints(const Performance& total) {
    if (!total.latency.average || *total.latency.average <= 2000) return {};
    return {{.title = "Shorten the time of a call",
             .description =
                 fmt::format("A call takes {:.0f} ms on average; above 2,000 ms stream answers, ask for "
                             "fewer tokens or use a faster model.",
                             *total.latency.average),
             .impact = "medium",
             .effort = "medium",
             .priority = 2}};
}

std::vector<Hint> error_hints(const Performance& total) {
    if (total.error_rate().value_or(0) <= 0.05) return {};
    return {{.title = "Find out why calls fail",
             .description =
                 fmt::format("{:.1f} % of calls fail; above 5 % look at the types of errors, retry what "
                             "can succeed and validate requests.",
                             100 * *total.error_rate()),
             .impact = "high",
             .effort = "low"}};
}

// 1 for what is good, 0.5 for what is not; what nobody knows does not count.
std::optional<double> overall_score(const Performance& total) {
    std::vector<double> parts;
    const auto count = [&](bool good) { parts.push_back(good ? 1.0 : 0.5); };
    if (const auto average = cost_per_call(total)) count(*average < 0.005);
    if (total.latency.average) count(*total.latency.average < 1000);
    if (const auto success = success_rate(total)) count(*success > 0.95);
    if (parts.empty()) return std::nullopt;
    double sum = 0;
    for (const double part : parts) sum += part;
    return sum / static_cast<double>(parts.size());
}

ApiResult<Reply> answer_optimization(const Shared& shared, const Call& call) {
    const Parameters parameters =
        OBS_ANSWER(Parameters::read(optimization_parameters, call.request.head.query, call.now));
    const AnalyticsRequest request = OBS_ANSWER(analytics_request(shared.parts, parameters, call, week));
    query::PerformanceQuestion question = speed_question(request, call);
    question.errors = false;
    const query::PerformanceReport report =
        OBS_ANSWER(query::performance(shared.figures, question, call.cancel));
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().key("metadata").begin_object();
    write_metadata(json, request, call, report.source);
    json.end_object();
    write_hints(json, "cost_optimizations", cost_hints(report.total));
    write_hints(json, "performance_optimizations", speed_hints(report.total));
    write_hints(json, "quality_optimizations", error_hints(report.total));
    optional_field(json, "overall_score", overall_score(report.total));
    json.end_object();
    return reply;
}

Route route(std::string_view pattern, std::string_view permission, const SharedParts& shared,
            AnalyticsAnswer answer, RouteDocs docs, std::chrono::seconds keep) {
    docs.tag = "analytics";
    return analytics_route("GET", pattern, permission, shared, answer, std::move(docs), keep);
}

}  // namespace

std::vector<Route> performance_routes(const AnalyticsParts& parts) {
    const SharedParts shared = share(parts);
    constexpr std::chrono::seconds minute(60);
    const RouteDocs speed{
        .summary = "How fast calls went: latency, throughput, errors, time to the first token",
        .parameters = performance_parameters,
        .answer = "PerformanceAnalytics"};
    const RouteDocs good{
        .summary = "How well calls went: success, scores, use of tokens, models beside each other",
        .parameters = quality_parameters,
        .answer = "QualityAnalytics",
        .description =
            "Feedback, scores and the resolution rate are those given in the window, whatever the "
            "filter: they do not know models. Everything else is about the calls that match."};
    const RouteDocs compared{.summary = "Two to ten models beside each other",
                             .parameters = compare_parameters,
                             .answer = "ModelComparison"};
    std::vector<Route> routes;
    for (const char* pattern : {"/api/v1/analytics/performance", "/api/v1/metrics/performance"})
        routes.push_back(route(pattern, "read:metrics", shared, answer_performance, speed, minute));
    for (const char* pattern : {"/api/v1/analytics/quality", "/api/v1/metrics/quality"})
        routes.push_back(route(pattern, "read:metrics", shared, answer_quality, good, minute));
    for (const char* pattern : {"/api/v1/models/compare", "/api/v1/analytics/models/compare"})
        routes.push_back(
            route(pattern, "read:metrics", shared, answer_compare, compared, std::chrono::seconds(300)));
    routes.push_back(route("/api/v1/analytics/optimization", "read:costs", shared, answer_optimization,
                           {.summary = "Hints where money and time can be saved",
                            .parameters = optimization_parameters,
                            .answer = "Optimization"},
                           minute));
    return routes;
}

}  // namespace obs::serve
