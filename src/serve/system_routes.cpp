#include "serve/system_routes.h"

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "base/log.h"
#include "query/fields.h"
#include "query/unpriced.h"
#include "serve/list_request.h"

namespace obs::serve {

namespace {

using query::Field;

Reply probe(int status, std::string_view word, UnixNanos now) {
    Reply reply{.status = status};
    JsonWriter json(reply.body);
    json.begin_object().field("status", word).field("timestamp", rfc3339(now)).end_object();
    return reply;
}

// Probes carry no token, so they say that something is wrong and not what; the log does.
ApiResult<Reply> answer_health(SpanStore& store, const Redis* redis, const Call& call) {
    const StoreHealth health = store.health();
    if (!health.ok) log::warning("api: the store is not healthy: {}", health.reason);
    const bool redis_well = redis == nullptr || redis->well();
    const bool ok = health.ok && redis_well;
    Reply reply{.status = ok ? 200 : 503};
    JsonWriter json(reply.body);
    json.begin_object().field("status", ok ? "healthy" : "degraded");
    json.field("database", health.ok ? "healthy" : "unhealthy");
    json.field("redis", redis == nullptr ? "not_configured" : redis_well ? "healthy" : "unhealthy");
    json.field("timestamp", rfc3339(call.now)).end_object();
    return reply;
}

ApiResult<Reply> answer_ready(SpanStore& store, const NotReady& not_ready, const Call& call) {
    if (not_ready()) return probe(503, "not_ready", call.now);
    return store.health().ok ? probe(200, "ready", call.now) : probe(503, "degraded", call.now);
}

void write_field(JsonWriter& json, const Field& field) {
    json.begin_object().field("name", field.name).field("type", field.type());
    if (!field.unit().empty()) json.field("unit", field.unit());
    json.field("meaning", field.meaning);
    json.field("filterable", field.filterable).field("sortable", field.sortable);
    json.field("groupable", field.groupable).field("content", field.is_content());
    json.key("aliases").begin_array();
    for (const std::string_view alias : field.aliases) json.value(alias);
    json.end_array().key("operators").begin_array();
    for (const std::string_view name : query::operators_of(field)) json.value(name);
    json.end_array().end_object();
}

constexpr ParameterInfo fields_parameters[] = {
    {"table",
     ParameterType::word,
     "what is asked about",
     {.words = "spans logs metric_points scores audit", .fallback = "spans"}}};

ApiResult<Reply> answer_fields(const Call& call) {
    const auto parameters =
        OBS_ANSWER(Parameters::read(fields_parameters, call.request.head.query, call.now));
    const TableId wanted = *std::ranges::find(all_tables, parameters.text("table"), table_name);
    Reply reply;
    JsonWriter json(reply.body);
    json.begin_object().field("table", table_name(wanted)).key("fields").begin_array();
    for (const Field& field : query::fields_of(wanted)) write_field(json, field);
    json.end_array().end_object();
    return reply;
}

constexpr WindowRule last_month{.span = Nanos::days(30), .most = Nanos::days(365)};
constexpr ParameterInfo unpriced_parameters[] = {parameter::from,
                                                 parameter::to,
                                                 parameter::project_id,
                                                 {"limit",
                                                  ParameterType::integer,
                                                  "models, the most used ones first",
                                                  {.fallback = "100", .least = 1, .most = 1000}}};

ApiResult<Reply> answer_unpriced(SpanStore& store, const Call& call) {
    const auto given = OBS_ANSWER(Parameters::read(unpriced_parameters, call.request.head.query, call.now));
    const Scope scope = OBS_ANSWER(scope_of(*call.principal, given.text("project_id")));
    const Window window = OBS_ANSWER(window_of(given, call.now, last_month));
    const auto limit = static_cast<std::size_t>(*given.integer("limit"));
    Reply reply{.until = window.to};
    JsonWriter json(reply.body);
    json.begin_object().field("from", rfc3339(*window.from)).field("to", rfc3339(*window.to));
    json.key("models").begin_array();
    for (const query::UnpricedModel& model :
         OBS_ANSWER(query::unpriced_models(store, scope, window, limit, call.cancel))) {
        json.begin_object().field("project_id", model.project);
        json.field("provider", model.provider).field("model", model.model).field("span_count", model.calls);
        json.field("first_seen", rfc3339(model.first_seen)).field("last_seen", rfc3339(model.last_seen));
        if (model.tokens) json.field("tokens", model.tokens->count);
        if (model.client_cost) json.field("client_cost_usd", *model.client_cost);
        json.end_object();
    }
    json.end_array().end_object();
    return reply;
}

}  // namespace

std::vector<Route> system_routes(SpanStore& store, const Metrics& metrics, NotReady not_ready,
                                 const Redis* redis) {
    const Handler health = [&store, redis](const Call& call) { return answer_health(store, redis, call); };
    const Handler ready = [&store, not_ready = std::move(not_ready)](const Call& call) {
        return answer_ready(store, not_ready, call);
    };
    const Handler alive = [](const Call& call) -> ApiResult<Reply> { return probe(200, "alive", call.now); };
    std::vector<Route> routes;
    const RouteDocs readiness{.summary = "Whether requests can be answered well",
                              .tag = "system",
                              .answer = "Probe",
                              .also = {503}};
    const RouteDocs liveness{.summary = "Whether the process runs", .tag = "system", .answer = "Probe"};
    routes.push_back({"GET",
                      "/health",
                      Access::open,
                      "",
                      health,
                      {.summary = "How the parts are", .tag = "system", .answer = "Health", .also = {503}}});
    routes.push_back({"GET", "/ready", Access::open, "", ready, readiness});
    routes.push_back({"GET", "/health/ready", Access::open, "", ready, readiness});
    routes.push_back({"GET", "/alive", Access::open, "", alive, liveness});
    routes.push_back({"GET", "/health/live", Access::open, "", alive, liveness});
    routes.push_back({"GET",
                      "/metrics",
                      Access::open_on_loopback,
                      "read:metrics",
                      [&metrics](const Call&) -> ApiResult<Reply> {
                          return Reply{.body = metrics.scrape(), .content_type = "text/plain; version=0.0.4"};
                      },
                      {.summary = "Figures of the server in the text format of Prometheus",
                       .tag = "system",
                       .content_type = "text/plain"}});
    routes.push_back({"GET",
                      "/api/v1/fields",
                      Access::token,
                      "read:traces",
                      answer_fields,
                      {.summary = "The fields of a table, and what can be asked of them",
                       .tag = "system",
                       .parameters = fields_parameters,
                       .answer = "Fields"}});
    routes.push_back(
        {"GET",
         "/api/v1/models/unpriced",
         Access::token,
         "read:costs",
         [&store](const Call& call) { return answer_unpriced(store, call); },
         {.summary = "Models that nobody knew a price for",
          .tag = "costs",
          .parameters = unpriced_parameters,
          .answer = "UnpricedModels",
          .description = "Of model calls with tokens, in the last 30 days when no `from` is given."},
         {.keep = std::chrono::seconds(60)}});
    return routes;
}

}  // namespace obs::serve
