#include "serve/anomaly_routes.h"

#include <cmath>
#include <iterator>
#include <utility>

#include "base/json_writer.h"
#include "serve/account_json.h"
#include "serve/list_request.h"

namespace obs::serve {

namespace {

constexpr ParameterInfo anomaly_parameters[] = {
    parameter::from,
    parameter::to,
    parameter::project_id,
    {"metric",
     ParameterType::words,
     "what was out of the ordinary",
     {.aliases = "metrics", .words = "cost tokens latency error_rate"}},
    {"dimension", ParameterType::word, "what it was seen by", {.words = "project model service"}},
    {"value", ParameterType::text, "the model, service or project", {.most = 1000}},
    {"severity",
     ParameterType::words,
     "how far it was from the usual",
     {.words = "low medium high critical"}},
    {"status", ParameterType::word, "whether it lasts", {.words = "open ended"}},
    page_limit,
    page_offset};

constexpr WindowRule week{.span = Nanos::days(7), .most = Nanos::days(365)};

void write_amount(JsonWriter& json, std::string_view name, const Anomaly& anomaly, double amount) {
    if (anomaly.metric == AnomalyMetric::cost)
        json.field(name, Usd{std::llround(amount * 1e9)});
    else
        json.field(name, amount);
}

ApiResult<Reply> answer(const AnomalyLog& anomalies, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(anomaly_parameters, call.request.head.query, call.now));
    const Window window = OBS_ANSWER(window_of(given, call.now, week));
    AnomalyQuestion question(OBS_ANSWER(scope_of(*call.principal, given.text("project_id"))));
    question.from = *window.from;
    question.to = *window.to;
    for (const std::string& word : given.list("metric"))
        question.metrics.push_back(*anomaly_metric_from(word));
    for (const std::string& word : given.list("severity"))
        question.severities.push_back(*anomaly_severity_from(word));
    question.dimension = given.text("dimension");
    question.value = given.text("value");
    if (given.has("status")) question.ended = given.text("status") == "ended";
    // Who may not see costs is not told of them here.
    if (!call.principal->may("read:costs")) {
        if (question.metrics.empty())
            question.metrics.assign(std::begin(all_anomaly_metrics), std::end(all_anomaly_metrics));
        std::erase(question.metrics, AnomalyMetric::cost);
        if (question.metrics.empty())
            return refuse(ErrorCode::resource_access_denied, "metric",
                          "anomalies of costs take the permission read:costs");
    }
    const Page page = page_of(given);
    return list_reply("anomalies", anomalies.list(question, page), page);
}

}  // namespace

void write_json(JsonWriter& json, const Anomaly& anomaly) {
    json.begin_object().field("id", anomaly.id).field("project_id", anomaly.project);
    json.field("metric", name_of(anomaly.metric)).field("unit", unit_of(anomaly.metric));
    json.field("dimension", anomaly.dimension).field("value", anomaly.value);
    json.field("severity", name_of(anomaly.severity)).field("status", anomaly.ended ? "ended" : "open");
    json.field("started_at", rfc3339(anomaly.began));
    if (anomaly.ended) json.field("ended_at", rfc3339(*anomaly.ended));
    json.field("worst_at", rfc3339(anomaly.worst));
    json.field("window_seconds", anomaly.window.count / Nanos::seconds(1).count);
    write_amount(json, "measured", anomaly, anomaly.measured);
    write_amount(json, "expected", anomaly, anomaly.usual);
    json.field("deviation", anomaly.deviation).field("calls", anomaly.calls).end_object();
}

std::vector<Route> anomaly_routes(const AnomalyLog& anomalies) {
    return {{"GET",
             "/api/v1/anomalies",
             Access::token,
             "read:alerts",
             [&anomalies](const Call& call) { return answer(anomalies, call); },
             {.summary = "Spikes of cost, tokens, latency and error rate, the newest first",
              .tag = "alerts",
              .parameters = anomaly_parameters,
              .answer = "AnomalyList",
              .description = "Each project, model and service is compared with what is usual for it at this "
                             "hour of the week. There is one anomaly for as long as a figure is out of the "
                             "ordinary. Those of costs take the permission read:costs as well."}}};
}

}  // namespace obs::serve
