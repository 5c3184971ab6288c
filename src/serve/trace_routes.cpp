#include "serve/trace_routes.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/json_writer.h"
#include "query/fields.h"
#include "query/traces.h"
#include "serve/envelope.h"
#include "serve/list_request.h"
#include "serve/log_routes.h"
#include "serve/running_routes.h"
#include "serve/search_routes.h"
#include "serve/trace_json.h"

namespace obs::serve {

namespace {

using query::Content;
using query::Include;
using query::Traces;

using namespace std::chrono_literals;

constexpr ParameterInfo trace_parameters[] = {
    parameter::trace_id,
    parameter::project_id,
    {"include",
     ParameterType::words,
     "what else is shown: the tree of all spans, evaluations, feedback, log records",
     {.words = "children evaluations feedback logs"}},
    parameter::fields,
};

// They may come at any time, whatever they are about.
bool has_scores(const Include& include) {
    return include.evaluations || include.feedback;
}

ApiResult<Reply> answer_list(const Traces& traces, const Call& call) {
    const ListRequest request = OBS_ANSWER(list_request(call));
    const query::ListPage page = OBS_ANSWER(traces.list(request.question, call.cancel));
    const Content content = content_for(*call.principal);
    Reply reply{.until = request.question.window.to, .once = request.question.cursor.has_value()};
    if (has_scores(request.question.include)) reply.until.reset();
    JsonWriter json(reply.body);
    begin_envelope(json);
    write_page(json, page, request.question, request.selection, content);
    write_pagination(json, page.cursor, request.question.limit);
    end_envelope(json, reply, call, content, [&] {
        if (page.scanned_to) json.field("scanned_to", rfc3339(*page.scanned_to));
        if (page.content_cut) json.field("content", "cut");
    });
    return reply;
}

// When the last known span of a trace ended; nothing while one has not.
std::optional<UnixNanos> end_of(const query::OneTrace& trace) {
    UnixNanos end{};
    for (std::size_t row = 0; row < trace.spans.size(); ++row) {
        if (trace.running[row]) return std::nullopt;
        end = std::max(end, trace.spans.ts[row] + trace.spans.duration[row]);
    }
    return end;
}

ApiResult<Reply> answer_trace(SpanStore& store, const Traces& traces, Nanos stuck_after, const Call& call) {
    const std::string_view named = call.parameter("trace_id");
    const auto parameters = OBS_ANSWER(Parameters::read(trace_parameters, call.request.head.query, call.now));
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, parameters.text("project_id")));
    Include include;
    for (const std::string& word : parameters.list("include")) {
        include.children = include.children || word == "children";
        include.evaluations = include.evaluations || word == "evaluations";
        include.feedback = include.feedback || word == "feedback";
    }
    const bool with_logs = std::ranges::count(parameters.list("include"), "logs") != 0;
    const Content content = content_for(*call.principal);
    const Selection selection = parameters.has("fields")
                                    ? Selection::named(TableId::spans, parameters.list("fields"), content)
                                    : Selection::all(TableId::spans, content);
    const auto id = query::trace_id_from(named);
    std::optional<query::OneTrace> trace;
    if (id) trace = OBS_ANSWER(traces.one(scope, *id, selection.columns(), include, call.cancel));
    if (!trace)
        return refuse(ErrorCode::trace_not_found, "trace_id", "there is no trace {}", named.substr(0, 100));
    const Selection log_selection = Selection::all(TableId::logs, content);
    TraceLogs logs;
    if (with_logs) logs = OBS_ANSWER(logs_of(store, scope, *id, log_selection, call.cancel));
    Reply reply{.until = has_scores(include) ? std::nullopt : end_of(*trace)};
    JsonWriter json(reply.body);
    begin_envelope(json);
    const bool stuck = is_stuck(trace->news, stuck_after, call.now);
    write_trace(json, *trace, selection, include, content, stuck, [&] {
        if (!with_logs) return;
        json.key("logs");
        write_logs(json, logs, log_selection);
    });
    end_envelope(json, reply, call, content, [&] {
        if (trace->content_cut) json.field("content", "cut");
        if (trace->spans_cut) json.field("spans", "cut");
        if (logs.cut) json.field("logs", "cut");
    });
    return reply;
}

}  // namespace

std::vector<Route> trace_routes(SpanStore& store, const query::LiveData& live, Nanos stuck_after) {
    const auto traces = std::make_shared<Traces>(store, live);
    std::vector<Route> routes =
        two_ways({.get = "/api/v1/traces",
                  .search = "/api/v1/traces/search",
                  .permission = "read:traces",
                  .docs = {.summary = "Model calls, traces or spans that match, newest first",
                           .tag = "traces",
                           .parameters = trace_list_parameters,
                           .answer = "TraceList"},
                  .cache = {.keep = 60s, .keep_past = 300s}},
                 [traces](const Call& call) { return answer_list(*traces, call); });
    routes.push_back({"GET",
                      "/api/v1/traces/:trace_id",
                      Access::token,
                      "read:traces",
                      [&store, traces, stuck_after](const Call& call) {
                          return answer_trace(store, *traces, stuck_after, call);
                      },
                      {.summary = "One trace: its root, and the tree of its spans when asked for",
                       .tag = "traces",
                       .parameters = trace_parameters,
                       .answer = "TraceAnswer"},
                      {.keep = 300s}});
    return routes;
}

}  // namespace obs::serve
