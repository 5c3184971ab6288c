#include "serve/running_routes.h"

#include <array>
#include <string>

#include "base/json_writer.h"
#include "query/running.h"
#include "serve/envelope.h"
#include "serve/list_request.h"
#include "serve/parameters.h"
#include "serve/row_json.h"

namespace obs::serve {

namespace {

constexpr std::int64_t most_shown = 1000;

constexpr ParameterInfo running_parameters[] = {
    parameter::project_id,
    {"state",
     ParameterType::word,
     "only those in this state; both when not said",
     {.words = "running stuck"}},
    {"limit",
     ParameterType::integer,
     "spans that are shown",
     {.fallback = "100", .least = 1, .most = most_shown}},
};

// No texts of prompts: who may not read them asks for this too.
const std::vector<std::string> shown_fields = {"trace_id",   "span_id",   "parent_span_id", "ts",
                                               "span_name",  "kind",      "service_name",   "environment",
                                               "provider",   "model",     "request_model",  "user_id",
                                               "session_id", "project_id"};

ApiResult<Reply> answer(SpanStore& store, const query::LiveData& live, Nanos stuck_after, const Call& call) {
    const auto parameters =
        OBS_ANSWER(Parameters::read(running_parameters, call.request.head.query, call.now));
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, parameters.text("project_id")));
    const std::string_view state = parameters.text("state");
    const auto limit = static_cast<std::size_t>(*parameters.integer("limit"));
    // Those of one state are chosen from all that could be shown.
    const query::RunningList list = OBS_ANSWER(query::running_spans(
        store, live, scope, state.empty() ? limit : static_cast<std::size_t>(most_shown), call.cancel));
    const query::Content content = content_for(*call.principal);
    const Selection selection = Selection::named(TableId::spans, shown_fields, content);
    const RowWriter<SpanBatch> rows(list.spans, selection);
    Reply reply;
    JsonWriter json(reply.body);
    begin_envelope(json);
    json.begin_array();
    std::size_t shown = 0;
    for (std::size_t row = 0; row < list.spans.size() && shown < limit; ++row) {
        const std::string_view its = is_stuck(list.news[row], stuck_after, call.now) ? "stuck" : "running";
        if (!state.empty() && state != its) continue;
        json.begin_object();
        rows.write_members(json, row);
        json.field("state", its);
        json.field("running_ms", (call.now - list.spans.ts[row]).count / 1'000'000);
        json.field("last_news", rfc3339(list.news[row]));
        json.end_object();
        ++shown;
    }
    json.end_array();
    end_envelope(json, reply, call, content, [&] {
        json.field("total", std::uint64_t{list.total});
        json.field("stuck_after_ms", stuck_after.count / 1'000'000);
    });
    return reply;
}

}  // namespace

bool is_stuck(UnixNanos news, Nanos stuck_after, UnixNanos now) {
    return stuck_after.count != 0 && news + stuck_after < now;
}

std::vector<Route> running_routes(SpanStore& store, const query::LiveData& live, Nanos stuck_after) {
    std::vector<Route> routes;
    routes.push_back(
        {"GET",
         "/api/v1/running-spans",
         Access::token,
         "read:traces",
         [&store, &live, stuck_after](const Call& call) { return answer(store, live, stuck_after, call); },
         {.summary = "Spans that have begun and have not ended, those heard of last first",
          .tag = "traces",
          .parameters = running_parameters,
          .answer = "RunningSpanList",
          .description =
              "What emitters tell of work that goes on: placeholders (Logfire), spans without an end, "
              "and heartbeats that come as log records with a span in their body. `stuck` are those "
              "of a trace of which nothing was heard for `meta.stuck_after_ms` (`--stuck-after`)."}});
    return routes;
}

}  // namespace obs::serve
