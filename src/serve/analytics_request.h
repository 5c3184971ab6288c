// What the routes about figures have in common: their parameters, and how answers are written.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "query/cost_signals.h"
#include "query/figures.h"
#include "query/figures_calendar.h"
#include "serve/list_request.h"
#include "serve/parameters.h"
#include "serve/router.h"

namespace obs::serve {

// What the routes are answered with; all outlive them.
struct AnalyticsParts {
    SpanStore& store;
    const query::LiveData& live;
    const query::RollupCurrency* rollups = nullptr;  // null: everything is read from spans
    const query::CostSignals* signals = nullptr;
    // Of the days of a scope (decision 29); UTC when there is none.
    std::function<std::string(const Scope&)> time_zone{};
};

// The parts, and the planner over them, for all answers of a file of routes.
struct AnalyticsShared {
    AnalyticsParts parts;
    query::Figures figures;
};
std::shared_ptr<const AnalyticsShared> share(const AnalyticsParts& parts);

using AnalyticsAnswer = ApiResult<Reply> (*)(const AnalyticsShared& shared, const Call& call);
// A route for callers with the permission. `keep`: how long its answer may be used again.
Route analytics_route(std::string_view method, std::string_view pattern, std::string_view permission,
                      std::shared_ptr<const AnalyticsShared> shared, AnalyticsAnswer answer, RouteDocs docs,
                      std::chrono::seconds keep);

// Which calls are meant. Names and meanings are those of the list of traces.
inline constexpr std::array call_filters{
    parameter::from,
    parameter::to,
    parameter::project_id,
    parameter::provider,
    parameter::model,
    parameter::environment,
    parameter::user_id,
    parameter::session_id,
    parameter::service_name,
    ParameterInfo{
        "operation_type", ParameterType::text, "operation: chat, embeddings", {.aliases = "operation"}},
    ParameterInfo{"tags", ParameterType::list, "calls that have all of these tags"},
    ParameterInfo{"status",
                  ParameterType::words,
                  "status; SUCCESS is OK",
                  {.aliases = "status_code", .words = "OK ERROR UNSET SUCCESS"}},
    ParameterInfo{"timezone",
                  ParameterType::text,
                  "time zone of days, of the IANA list; the project's when not said",
                  {.aliases = "time_zone", .most = 64}},
};

inline constexpr ParameterInfo group_by_parameter{"group_by",
                                                  ParameterType::list,
                                                  "fields, one of them may be attributes.<key>: provider, "
                                                  "model, user, service, environment, session, team, "
                                                  "project, tag and every groupable field",
                                                  {.most = 5}};

// One request, understood.
struct AnalyticsRequest {
    Scope scope;
    UnixNanos from, to;
    Filter filter;
    query::Calendar calendar;
    std::vector<query::Dimension> group_by;
    bool reads_content = false;  // who asks may see prompts, messages and attributes
};

// What every question about figures says: whose calls, when, which, in which days and groups.
template <class Question>
Question question_of(const AnalyticsRequest& request, const Call& call) {
    Question question(request.scope);
    question.from = request.from;
    question.to = request.to;
    question.now = call.now;
    question.filter = request.filter;
    question.calendar = request.calendar;
    question.group_by = request.group_by;
    return question;
}

// `parameters` has call_filters, and perhaps group_by.
ApiResult<AnalyticsRequest> analytics_request(const AnalyticsParts& parts, const Parameters& parameters,
                                              const Call& call, WindowRule window);
// Groupable fields by name; attributes take the permission read:content. `name` is the parameter's.
ApiResult<std::vector<query::Dimension>> dimensions_of(const std::vector<std::string>& words,
                                                       std::string_view name, bool reads_content);
ApiResult<query::Calendar> calendar_of(const AnalyticsParts& parts, const Scope& scope,
                                       std::string_view zone);

// Members of `metadata` that every answer has; inside of an object that the caller began.
void write_metadata(JsonWriter& json, const AnalyticsRequest& request, const Call& call,
                    query::DataSource source);
void write_names(JsonWriter& json, std::string_view key, const std::vector<query::Dimension>& dimensions);

// Left out when it is not known.
template <class T>
void optional_field(JsonWriter& json, std::string_view name, const std::optional<T>& value) {
    if (value) json.field(name, *value);
}

// One line of CSV (RFC 4180); texts that a spreadsheet would take for a formula begin with an apostrophe.
void append_csv_line(std::string& out, const std::vector<std::string>& cells);
// Whether the client wants CSV: `format=csv`, or Accept names it and not JSON.
bool wants_csv(const Parameters& parameters, const Call& call);

}  // namespace obs::serve
