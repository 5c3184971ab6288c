#include "serve/log_routes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/json_writer.h"
#include "serve/envelope.h"
#include "serve/list_request.h"
#include "serve/search_routes.h"

namespace obs::serve {

namespace {

using namespace std::chrono_literals;
using query::Records;

constexpr ParameterInfo service_names{"service_name", ParameterType::list, "service that sent it"};
constexpr ParameterInfo scope_name{"scope_name", ParameterType::list, "instrumentation library"};

constexpr ParameterInfo log_parameters[] = {
    parameter::from,
    parameter::to,
    parameter::trace_id,
    {"span_id", ParameterType::text, "span, 1 to 16 hex digits"},
    parameter::project_id,
    service_names,
    parameter::environment,
    scope_name,
    {"severity_text", ParameterType::list, "severity as the application spelled it"},
    {"min_severity", ParameterType::integer, "OTLP severity at least: 9 is INFO, 17 is ERROR", {.most = 24}},
    {"event_name", ParameterType::list, "name, of records that are events"},
    {"search", ParameterType::text, "words that stand in the body; takes read:content"},
    parameter::cursor,
    parameter::limit,
    parameter::sort_by,
    parameter::sort_order,
    parameter::fields,
};

constexpr ParameterInfo metric_parameters[] = {
    parameter::from,
    parameter::to,
    parameter::project_id,
    {"metric_name", ParameterType::list, "name of the metric"},
    {"metric_type", ParameterType::list, "gauge, sum, histogram, exponential_histogram or summary"},
    {"unit", ParameterType::list, "UCUM unit"},
    service_names,
    parameter::environment,
    scope_name,
    {"provider", ParameterType::list, "provider of the model"},
    {"model", ParameterType::list, "model"},
    parameter::cursor,
    parameter::limit,
    parameter::sort_by,
    parameter::sort_order,
    parameter::fields,
};

constexpr ParameterInfo list_of_scores_parameters[] = {
    parameter::from,
    parameter::to,
    parameter::trace_id,
    {"span_id", ParameterType::text, "span, 1 to 16 hex digits"},
    {"session_id", ParameterType::text, "session that was scored as a whole"},
    parameter::project_id,
    {"name", ParameterType::list, "what is scored: feedback, relevance"},
    {"label", ParameterType::list, "word: pass, fail"},
    {"source", ParameterType::list, "HUMAN, LLM, CODE or API"},
    {"user_id", ParameterType::text, "who gave it"},
    {"score_id", ParameterType::text, "id of the score"},
    parameter::cursor,
    parameter::limit,
    parameter::sort_by,
    parameter::sort_order,
    parameter::fields,
};

constexpr ParameterInfo audit_parameters[] = {
    parameter::from,
    parameter::to,
    parameter::project_id,
    {"user_id", ParameterType::list, "who asked"},
    {"role", ParameterType::list, "role of who asked"},
    {"action", ParameterType::list, "read, search, create, update, delete, export or login"},
    {"resource_type", ParameterType::list, "what was acted on"},
    {"resource_id", ParameterType::text, "its id"},
    {"route", ParameterType::text, "template of the path"},
    {"method", ParameterType::list, "of the request"},
    {"http_status", ParameterType::integer, "status of the answer", {.least = 100, .most = 599}},
    {"success", ParameterType::flag, "below status 400"},
    {"error_code", ParameterType::list, "code of the refusal"},
    {"ip_address", ParameterType::text, "peer of the connection"},
    {"request_id", ParameterType::text, "X-Request-ID of the answer"},
    parameter::cursor,
    parameter::limit,
    parameter::sort_by,
    parameter::sort_order,
    parameter::fields,
};

template <class Batch>
void write_rows(JsonWriter& json, const Batch& rows, const Selection& selection) {
    const RowWriter<Batch> writer(rows, selection);
    json.begin_array();
    for (std::size_t row = 0; row < rows.size(); ++row) {
        json.begin_object();
        writer.write_members(json, row);
        json.end_object();
    }
    json.end_array();
}

void write_page(JsonWriter& json, const query::RecordPage& page, const Selection& selection) {
    if (const auto* logs = std::get_if<LogBatch>(&page.rows)) write_rows(json, *logs, selection);
    if (const auto* points = std::get_if<MetricBatch>(&page.rows)) write_rows(json, *points, selection);
    if (const auto* scores = std::get_if<ScoreBatch>(&page.rows)) write_rows(json, *scores, selection);
    if (const auto* calls = std::get_if<AuditBatch>(&page.rows)) write_rows(json, *calls, selection);
}

ApiResult<RecordRequest> request_of(TableId table, std::span<const ParameterInfo> parameters,
                                    const Call& call) {
    if (is_search(call))
        return record_search_request(table, call.request.body.view(), *call.principal, call.now);
    return record_list_request(table, parameters, call.request.head.query, *call.principal, call.now);
}

ApiResult<Reply> answer(const Records& records, const RecordRequest& request, const Call& call) {
    const query::RecordPage page = OBS_ANSWER(records.list(request.question, call.cancel));
    Reply reply{.until = request.question.window.to, .once = request.question.cursor.has_value()};
    JsonWriter json(reply.body);
    begin_envelope(json);
    write_page(json, page, request.selection);
    write_pagination(json, page.cursor, request.question.limit);
    end_envelope(json, reply, call, content_for(*call.principal), [&] {
        if (page.scanned_to) json.field("scanned_to", rfc3339(*page.scanned_to));
        if (page.content_cut) json.field("content", "cut");
    });
    return reply;
}

// What differs between the tables.
struct RecordRoutes {
    TableId table;
    std::string_view list, search, permission;
    std::span<const ParameterInfo> parameters;
    std::string_view tag, summary, answer;
    CacheRule cache{};
};
constexpr RecordRoutes tables[] = {
    {TableId::logs,
     "/api/v1/logs",
     "/api/v1/logs/search",
     "read:traces",
     log_parameters,
     "logs",
     "Log records that match, newest first",
     "LogList",
     {.keep = 60s, .keep_past = 300s}},
    {TableId::metric_points,
     "/api/v1/metric-points",
     "/api/v1/metric-points/search",
     "read:metrics",
     metric_parameters,
     "metric points",
     "Data points of metrics that match, newest first",
     "MetricPointList",
     {.keep = 60s, .keep_past = 300s}},
    // Without a lifetime: what was taken back is gone at once.
    {TableId::scores, "/api/v1/scores", "/api/v1/scores/search", "read:traces", list_of_scores_parameters,
     "scores", "Feedback and evaluations that match, newest first", "ScoreList"},
    {TableId::audit, "/api/v1/audit", "/api/v1/audit/search", "read:audit", audit_parameters, "audit",
     "Calls of this API that match, newest first", "AuditList"},
};

std::vector<Route> routes_of(const RecordRoutes& of, std::shared_ptr<const Records> records) {
    return two_ways(
        {.get = of.list,
         .search = of.search,
         .permission = of.permission,
         .docs = {.summary = of.summary, .tag = of.tag, .parameters = of.parameters, .answer = of.answer},
         .search_body = "RecordSearchBody",
         .cache = of.cache},
        [records = std::move(records), of](const Call& call) -> ApiResult<Reply> {
            const RecordRequest request = OBS_ANSWER(request_of(of.table, of.parameters, call));
            return answer(*records, request, call);
        });
}

}  // namespace

ApiResult<TraceLogs> logs_of(SpanStore& store, const Scope& scope, TraceId trace, const Selection& selection,
                             const Cancel& cancel) {
    std::string id(sizeof trace.bytes, '\0');
    std::memcpy(id.data(), trace.bytes.data(), id.size());
    RowQuestion question(scope);
    question.table = TableId::logs;
    question.filter =
        Filter::where({{find_column(TableId::logs, "trace_id")}, Operator::eq, {std::move(id)}});
    question.columns = selection.columns();
    question.order = {{{find_column(TableId::logs, "ts")}, false}};
    question.limit = TraceLogs::most + 1;
    question.content_bytes = 64 << 10;
    Rows rows = OBS_ANSWER(store.rows(question, cancel));
    TraceLogs found{.logs = std::move(std::get<LogBatch>(rows.batch))};
    found.cut = found.logs.size() > TraceLogs::most;
    return found;
}

void write_logs(JsonWriter& json, const TraceLogs& logs, const Selection& selection) {
    const RowWriter<LogBatch> writer(logs.logs, selection);
    json.begin_array();
    for (std::size_t row = 0; row < std::min(logs.logs.size(), TraceLogs::most); ++row) {
        json.begin_object();
        writer.write_members(json, row);
        json.end_object();
    }
    json.end_array();
}

std::vector<Route> log_routes(SpanStore& store, const query::LiveData& live) {
    const auto records = std::make_shared<const Records>(store, live);
    std::vector<Route> routes;
    for (const RecordRoutes& each : tables)
        for (Route& route : routes_of(each, records)) routes.push_back(std::move(route));
    return routes;
}

}  // namespace obs::serve
