#include "serve/span_routes.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "base/json_writer.h"
#include "query/fields.h"
#include "query/trace_tree.h"
#include "query/traces.h"
#include "serve/envelope.h"
#include "serve/ledger_json.h"
#include "serve/list_request.h"
#include "serve/trace_json.h"

namespace obs::serve {

namespace {

using namespace std::chrono_literals;
using query::Content;
using query::Traces;

constexpr std::size_t most_spans = 100;

constexpr ParameterInfo include_parameter{
    "include", ParameterType::words, "what else is shown of each span", {.words = "evaluations feedback"}};
constexpr std::array trace_parameters{parameter::trace_id, parameter::project_id};
constexpr ParameterInfo span_id_parameter{"span_id", ParameterType::text, "span, 1 to 16 hex digits"};
constexpr std::array span_parameters{parameter::trace_id, span_id_parameter, parameter::project_id,
                                     parameter::fields, include_parameter};
constexpr std::array spans_parameters{
    parameter::trace_id,
    ParameterInfo{"span_ids",
                  ParameterType::list,
                  "which spans, each 1 to 16 hex digits",
                  {.aliases = "span_id", .least = 1, .most = most_spans, .required = true}},
    parameter::project_id, parameter::fields, include_parameter};
constexpr std::array span_cost_parameters{parameter::trace_id, span_id_parameter, parameter::project_id};
constexpr std::array trace_cost_parameters{
    parameter::trace_id, parameter::project_id,
    ParameterInfo{"limit",
                  ParameterType::integer,
                  "spans that are shown, the dearest ones; parts and sums are of all",
                  {.fallback = "100", .least = 1, .most = 1000}}};

struct Shared {
    Traces traces;
    query::PricesOfRule prices;
};

// Whose trace, and which.
struct Named {
    Scope scope;
    TraceId trace;
};
std::unexpected<ApiError> no_trace(const Call& call) {
    return refuse(ErrorCode::trace_not_found, "trace_id", "there is no trace {}",
                  call.parameter("trace_id").substr(0, 100));
}
std::unexpected<ApiError> no_span(std::string_view named) {
    return refuse(ErrorCode::resource_not_found, "span_id", "the trace has no span {}", named.substr(0, 100));
}
ApiResult<Named> named_by(const Parameters& given, const Call& call) {
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, given.text("project_id")));
    const auto id = query::trace_id_from(call.parameter("trace_id"));
    if (!id) return no_trace(call);
    return Named{scope, *id};
}

ApiResult<query::OneTrace> whole_trace(const Traces& traces, const Named& named,
                                       std::vector<const ColumnInfo*> columns, const Call& call) {
    auto trace = OBS_ANSWER(traces.one(named.scope, named.trace, columns, {.children = true}, call.cancel));
    if (!trace) return no_trace(call);
    return *std::move(trace);
}

// ----- the shape

std::vector<const ColumnInfo*> skeleton_columns() {
    constexpr std::string_view names[] = {"parent_span_id", "duration", "span_name",    "kind",
                                          "is_root",        "is_call",  "status_code",  "service_name",
                                          "model",          "ttft",     "total_tokens", "total_cost"};
    return find_columns(TableId::spans, names);
}

double milliseconds(Nanos time) {
    return static_cast<double>(time.count) / 1e6;
}

void write_bone(JsonWriter& json, const query::OneTrace& trace, std::uint32_t row, std::uint32_t depth,
                UnixNanos start) {
    const SpanBatch& spans = trace.spans;
    json.begin_object().field("span_id", spans.span_id[row].hex());
    if (!spans.parent_span_id[row].is_zero()) json.field("parent_span_id", spans.parent_span_id[row].hex());
    json.field("depth", depth).field("span_name", spans.span_name[row]);
    json.field("kind", spans.kind[row]).field("service_name", spans.service_name[row]);
    json.field("status_code", query::status_word(spans.status_code[row]));
    json.field("offset_ms", milliseconds(spans.ts[row] - start));
    json.field("duration_ms", milliseconds(spans.duration[row]));
    if (spans.is_call[row] != 0) json.field("is_call", true);
    if (!spans.model[row].empty()) json.field("model", spans.model[row]);
    if (const auto ttft = spans.ttft[row]) json.field("ttft_ms", milliseconds(*ttft));
    if (const auto tokens = spans.total_tokens[row]) json.field("total_tokens", tokens->count);
    if (const auto cost = spans.total_cost[row]) json.field("total_cost_usd", *cost);
    if (trace.running[row]) json.field("running", true);
    json.end_object();
}

// Each span behind its parent, siblings by their start; without recursion, as chains are long.
void write_bones(JsonWriter& json, const query::OneTrace& trace, UnixNanos start) {
    const query::TraceTree tree(trace.spans);
    struct Place {
        std::uint32_t row, depth;
    };
    std::vector<Place> waiting;
    const auto wait = [&](std::span<const std::uint32_t> rows, std::uint32_t depth) {
        for (std::size_t at = rows.size(); at-- > 0;) waiting.push_back({rows[at], depth});
    };
    wait(tree.top(), 0);
    while (!waiting.empty()) {
        const Place next = waiting.back();
        waiting.pop_back();
        write_bone(json, trace, next.row, next.depth, start);
        wait(tree.children(next.row), next.depth + 1);
    }
}

ApiResult<Reply> answer_skeleton(const Shared& shared, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(trace_parameters, call.request.head.query, call.now));
    const Named named = OBS_ANSWER(named_by(given, call));
    const query::OneTrace trace = OBS_ANSWER(whole_trace(shared.traces, named, skeleton_columns(), call));
    UnixNanos start = trace.spans.ts[0];
    for (std::size_t row = 0; row < trace.spans.size(); ++row) start = std::min(start, trace.spans.ts[row]);
    Reply reply;
    reply.body.reserve(trace.spans.size() * 256);
    JsonWriter json(reply.body);
    begin_envelope(json);
    json.begin_object().field("trace_id", named.trace.hex()).field("start", rfc3339(start));
    json.field("shown_span_id", trace.spans.span_id[trace.shown].hex());
    write_totals(json, *trace.totals);
    json.key("spans").begin_array();
    write_bones(json, trace, start);
    json.end_array().end_object();
    end_envelope(json, reply, call, content_for(*call.principal), [&] {
        if (trace.spans_cut) json.field("spans", "cut");
    });
    return reply;
}

// ----- payloads

void write_span(JsonWriter& json, const RowWriter<SpanBatch>& rows, const ScoreWriter& scores,
                const query::SomeSpans& some, std::size_t row) {
    json.begin_object();
    rows.write_members(json, row);
    if (some.running[row]) json.field("running", true);
    scores.write_members(json, some.spans, row, false);
    json.end_object();
}

struct Payloads {
    Selection selection;
    query::Include include;
    query::SomeSpans some;
};
ApiResult<Payloads> payloads_of(const Shared& shared, const Parameters& given, const Named& named,
                                const std::vector<SpanId>& ids, const Call& call) {
    const Content content = content_for(*call.principal);
    Selection selection = given.has("fields")
                              ? Selection::named(TableId::spans, given.list("fields"), content)
                              : Selection::all(TableId::spans, content);
    query::Include include;
    for (const std::string& word : given.list("include")) {
        include.evaluations = include.evaluations || word == "evaluations";
        include.feedback = include.feedback || word == "feedback";
    }
    auto some = OBS_ANSWER(
        shared.traces.some(named.scope, named.trace, ids, selection.columns(), include, call.cancel));
    return Payloads{std::move(selection), include, std::move(some)};
}

ApiResult<Reply> answer_span(const Shared& shared, const Call& call) {
    const Parameters given = OBS_ANSWER(Parameters::read(span_parameters, call.request.head.query, call.now));
    const Named named = OBS_ANSWER(named_by(given, call));
    const auto id = query::span_id_from(call.parameter("span_id"));
    if (!id) return no_span(call.parameter("span_id"));
    const Payloads payloads = OBS_ANSWER(payloads_of(shared, given, named, {*id}, call));
    if (payloads.some.spans.empty()) return no_span(call.parameter("span_id"));
    const Content content = content_for(*call.principal);
    Reply reply;
    if (!payloads.some.running[0]) reply.until = payloads.some.spans.ts[0] + payloads.some.spans.duration[0];
    JsonWriter json(reply.body);
    begin_envelope(json);
    write_span(json, RowWriter<SpanBatch>(payloads.some.spans, payloads.selection),
               ScoreWriter(payloads.some.scores, payloads.include, content), payloads.some, 0);
    end_envelope(json, reply, call, content, [] {});
    return reply;
}

ApiResult<Reply> answer_spans(const Shared& shared, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(spans_parameters, call.request.head.query, call.now));
    const Named named = OBS_ANSWER(named_by(given, call));
    std::vector<SpanId> ids;
    for (const std::string& text : given.list("span_ids")) {
        const auto id = query::span_id_from(text);
        if (!id)
            return refuse(ErrorCode::invalid_field_format, std::string(given.spelled("span_ids")),
                          "\"{}\" is no span id", std::string_view(text).substr(0, 100));
        if (std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
    }
    const Payloads payloads = OBS_ANSWER(payloads_of(shared, given, named, ids, call));
    const Content content = content_for(*call.principal);
    Reply reply;
    JsonWriter json(reply.body);
    begin_envelope(json);
    const RowWriter<SpanBatch> rows(payloads.some.spans, payloads.selection);
    const ScoreWriter scores(payloads.some.scores, payloads.include, content);
    json.begin_array();
    for (std::size_t row = 0; row < payloads.some.spans.size(); ++row)
        write_span(json, rows, scores, payloads.some, row);
    json.end_array();
    end_envelope(json, reply, call, content, [&] {
        if (payloads.some.content_cut) json.field("content", "cut");
    });
    return reply;
}

// ----- costs

ApiResult<query::Ledger> ledger_for(const Shared& shared, const Named& named, const Call& call) {
    query::OneTrace trace = OBS_ANSWER(whole_trace(shared.traces, named, query::ledger_columns(), call));
    query::Ledger ledger = query::ledger_of(std::move(trace.spans), shared.prices);
    ledger.spans_cut = trace.spans_cut;
    return ledger;
}

ApiResult<Reply> answer_trace_cost(const Shared& shared, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(trace_cost_parameters, call.request.head.query, call.now));
    const Named named = OBS_ANSWER(named_by(given, call));
    const query::Ledger ledger = OBS_ANSWER(ledger_for(shared, named, call));
    Reply reply;
    JsonWriter json(reply.body);
    begin_envelope(json);
    write_trace_ledger(json, ledger, static_cast<std::size_t>(*given.integer("limit")));
    end_envelope(json, reply, call, content_for(*call.principal), [&] {
        if (ledger.spans_cut) json.field("spans", "cut");
    });
    return reply;
}

ApiResult<Reply> answer_span_cost(const Shared& shared, const Call& call) {
    const Parameters given =
        OBS_ANSWER(Parameters::read(span_cost_parameters, call.request.head.query, call.now));
    const Named named = OBS_ANSWER(named_by(given, call));
    const query::Ledger ledger = OBS_ANSWER(ledger_for(shared, named, call));
    const auto id = query::span_id_from(call.parameter("span_id"));
    const auto span = std::ranges::find_if(ledger.rows, [&](const query::SpanLedger& one) {
        return id && ledger.spans.span_id[one.row] == *id;
    });
    if (span == ledger.rows.end()) return no_span(call.parameter("span_id"));
    Reply reply;
    JsonWriter json(reply.body);
    begin_envelope(json);
    write_span_ledger(json, ledger, *span);
    end_envelope(json, reply, call, content_for(*call.principal), [] {});
    return reply;
}

}  // namespace

std::vector<Route> span_routes(SpanStore& store, const query::LiveData& live, query::PricesOfRule prices) {
    if (!prices) prices = [](std::string_view) { return std::vector<Price>(); };
    const auto shared = std::make_shared<const Shared>(Shared{Traces(store, live), std::move(prices)});
    using Answer = ApiResult<Reply> (*)(const Shared&, const Call&);
    std::vector<Route> routes;
    const auto add = [&](std::string_view pattern, Answer answer, RouteDocs docs) {
        docs.tag = "traces";
        docs.refusals = {404};
        routes.push_back({"GET",
                          pattern,
                          Access::token,
                          "read:traces",
                          [shared, answer](const Call& call) { return answer(*shared, call); },
                          std::move(docs),
                          {.keep = 300s}});
    };
    add("/api/v1/traces/:trace_id/skeleton", answer_skeleton,
        {.summary = "The shape of a trace without payloads, each span behind its parent",
         .parameters = trace_parameters,
         .answer = "SkeletonAnswer",
         .description = "Up to 100,000 spans; `meta.spans: cut` says that there are more."});
    add("/api/v1/traces/:trace_id/spans", answer_spans,
        {.summary = "Several spans of a trace with their payloads",
         .parameters = spans_parameters,
         .answer = "SpanListAnswer",
         .description = "Ids that the trace does not have are left out. Of several spans long texts may be "
                        "shown by their beginning (`meta.content: cut`)."});
    add("/api/v1/traces/:trace_id/spans/:span_id", answer_span,
        {.summary = "One span with its payload", .parameters = span_parameters, .answer = "TraceAnswer"});
    add("/api/v1/traces/:trace_id/cost", answer_trace_cost,
        {.summary = "Why a trace costs what it costs",
         .parameters = trace_cost_parameters,
         .answer = "TraceCostAnswer",
         .description = "`cost_usd` is exactly the sum of the amounts of all parts, `rounding_usd` and "
                        "`unexplained_usd`."});
    add("/api/v1/traces/:trace_id/spans/:span_id/cost", answer_span_cost,
        {.summary = "Why a span costs what it costs: tokens of each kind times the rate of a rule",
         .parameters = span_cost_parameters,
         .answer = "SpanCostAnswer"});
    return routes;
}

}  // namespace obs::serve
