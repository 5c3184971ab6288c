#include "serve/trace_routes.h"

#include <memory>
#include <string>
#include <utility>

#include "base/json_writer.h"
#include "query/condition.h"
#include "query/fields.h"
#include "query/traces.h"
#include "serve/list_request.h"
#include "serve/query_string.h"
#include "serve/trace_json.h"

namespace obs::serve {

namespace {

using query::Content;
using query::Include;
using query::Traces;

void begin_answer(JsonWriter& json) {
    json.begin_object().field("status", "success").key("data");
}

// `more` adds what the route has to say about its answer.
template <class More>
void end_answer(JsonWriter& json, const Call& call, Content content, More&& more) {
    json.key("meta").begin_object();
    json.field("timestamp", rfc3339(call.now));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - call.began;
    json.field("execution_time_ms",
               static_cast<double>(static_cast<std::int64_t>(took.count() * 1000)) / 1000);
    json.field("cached", false).field("version", "1.0").field("request_id", call.request_id);
    if (content == Content::hidden) json.field("content", "hidden");
    more();
    json.end_object().end_object();
}

void write_pagination(JsonWriter& json, const std::optional<std::string>& cursor, std::size_t limit) {
    json.key("pagination").begin_object();
    if (cursor) json.field("cursor", *cursor);
    json.field("has_more", cursor.has_value()).field("limit", std::uint64_t{limit});
    json.end_object();
}

ApiResult<Reply> answer_list(const Traces& traces, const ListRequest& request, const Call& call) {
    const query::ListPage page = OBS_ANSWER(traces.list(request.question, call.cancel));
    const Content content = content_for(*call.principal);
    Reply reply;
    JsonWriter json(reply.body);
    begin_answer(json);
    write_page(json, page, request.question, request.selection, content);
    write_pagination(json, page.cursor, request.question.limit);
    end_answer(json, call, content, [&] {
        if (page.scanned_to) json.field("scanned_to", rfc3339(*page.scanned_to));
        if (page.content_cut) json.field("content", "cut");
    });
    return reply;
}

std::string parameter(const Call& call, std::string_view name) {
    for (auto& [key, value] : parse_query(call.request.head.query))
        if (key == name) return std::move(value);
    return {};
}

ApiResult<Reply> answer_trace(const Traces& traces, const Call& call) {
    const std::string_view named = call.parameter("trace_id");
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, parameter(call, "project_id")));
    const Include include = OBS_ANSWER(include_from(parameter(call, "include")));
    const std::string fields = parameter(call, "fields");
    const Content content = content_for(*call.principal);
    const Selection selection = fields.empty()
                                    ? Selection::all(TableId::spans, content)
                                    : Selection::named(TableId::spans, split_list(fields), content);
    const auto id = query::trace_id_from(named);
    std::optional<query::OneTrace> trace;
    if (id) trace = OBS_ANSWER(traces.one(scope, *id, selection.columns(), include, call.cancel));
    if (!trace)
        return refuse(ErrorCode::trace_not_found, "trace_id", "there is no trace {}", named.substr(0, 100));
    Reply reply;
    JsonWriter json(reply.body);
    begin_answer(json);
    write_trace(json, *trace, selection, include, content);
    end_answer(json, call, content, [&] {
        if (trace->content_cut) json.field("content", "cut");
        if (trace->spans_cut) json.field("spans", "cut");
    });
    return reply;
}

// The log records of one trace, oldest first.
ApiResult<Reply> answer_logs(SpanStore& store, const Call& call) {
    constexpr std::size_t most = 1000;
    RowQuestion question(OBS_ANSWER(scope_of(*call.principal, parameter(call, "project_id"))));
    const auto trace = query::trace_id_from(parameter(call, "trace_id"));
    if (!trace)
        return refuse(ErrorCode::invalid_field_format, "trace_id",
                      "name a trace: trace_id of 1 to 32 hex digits");
    const std::vector<query::Value> values{trace->hex()};
    const Content content = content_for(*call.principal);
    const Selection selection = Selection::all(TableId::logs, content);
    question.table = TableId::logs;
    question.filter = OBS_ANSWER(query::where(TableId::logs, *query::find_field(TableId::logs, "trace_id"),
                                              Operator::eq, values, call.now));
    question.columns = selection.columns();
    question.order = {{{find_column(TableId::logs, "ts")}, false}};
    question.limit = most;
    const Rows rows = OBS_ANSWER(store.rows(question, call.cancel));
    const LogBatch& logs = std::get<LogBatch>(rows.batch);
    const RowWriter<LogBatch> writer(logs, selection);
    Reply reply;
    JsonWriter json(reply.body);
    begin_answer(json);
    json.begin_array();
    for (std::size_t row = 0; row < logs.size(); ++row) {
        json.begin_object();
        writer.write_members(json, row);
        json.end_object();
    }
    json.end_array();
    end_answer(json, call, content, [] {});
    return reply;
}

}  // namespace

std::vector<Route> trace_routes(SpanStore& store, const query::LiveData& live) {
    const auto traces = std::make_shared<Traces>(store, live);
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/traces", Access::token, "read:traces",
                      [traces](const Call& call) -> ApiResult<Reply> {
                          const ListRequest request =
                              OBS_ANSWER(list_request(call.request.head.query, *call.principal, call.now));
                          return answer_list(*traces, request, call);
                      }});
    routes.push_back({"POST", "/api/v1/traces/search", Access::token, "read:traces",
                      [traces](const Call& call) -> ApiResult<Reply> {
                          const ListRequest request =
                              OBS_ANSWER(search_request(call.request.body.view(), *call.principal, call.now));
                          return answer_list(*traces, request, call);
                      }});
    routes.push_back({"GET", "/api/v1/traces/:trace_id", Access::token, "read:traces",
                      [traces](const Call& call) { return answer_trace(*traces, call); }});
    routes.push_back({"GET", "/api/v1/logs", Access::token, "read:traces",
                      [&store](const Call& call) { return answer_logs(store, call); }});
    return routes;
}

}  // namespace obs::serve
