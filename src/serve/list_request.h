// The list and the search as HTTP asks for them (contract 1.4 and 1.7), made into one question.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/time.h"
#include "catalog/tokens.h"
#include "query/records.h"
#include "query/traces.h"
#include "serve/api_error.h"
#include "serve/parameters.h"
#include "serve/row_json.h"

namespace obs::serve {

struct ListRequest {
    query::ListQuestion question;
    Selection selection;
};

// Of GET /api/v1/traces (contract 1.4).
namespace parameter {
inline constexpr double most_number = 1e18;
inline constexpr ParameterInfo limit{
    "limit", ParameterType::integer, "rows of a page", {.fallback = "50", .least = 1, .most = 1000}};
inline constexpr ParameterInfo cursor{"cursor", ParameterType::text,
                                      "the next page, from `pagination.cursor`"};
inline constexpr ParameterInfo offset{
    "offset", ParameterType::integer, "only 0: pages are walked by cursor", {.most = most_number}};
inline constexpr ParameterInfo sort_by{
    "sort_by", ParameterType::text, "a sortable field of /api/v1/fields", {.fallback = "ts"}};
inline constexpr ParameterInfo sort_order{
    "sort_order", ParameterType::word, "direction", {.words = "desc asc", .fallback = "desc"}};
inline constexpr ParameterInfo fields{"fields", ParameterType::list,
                                      "only these members; unknown names are left out"};
inline constexpr ParameterInfo trace_id{"trace_id", ParameterType::text, "trace, 1 to 32 hex digits"};
}  // namespace parameter

// Which rows are meant.
inline constexpr std::array trace_filter_parameters{
    parameter::from,
    parameter::to,
    parameter::trace_id,
    parameter::session_id,
    parameter::user_id,
    parameter::project_id,
    parameter::provider,
    parameter::model,
    parameter::environment,
    parameter::service_name,
    ParameterInfo{"span_name", ParameterType::text, "name of the span"},
    ParameterInfo{"operation_type",
                  ParameterType::text,
                  "operation: chat, embeddings, execute_tool",
                  {.aliases = "operation"}},
    ParameterInfo{"min_duration",
                  ParameterType::number,
                  "milliseconds at least",
                  {.aliases = "min_duration_ms", .most = parameter::most_number}},
    ParameterInfo{"max_duration",
                  ParameterType::number,
                  "milliseconds at most",
                  {.aliases = "max_duration_ms", .most = parameter::most_number}},
    ParameterInfo{"min_cost", ParameterType::number, "US dollars at least", {.most = parameter::most_number}},
    ParameterInfo{"max_cost", ParameterType::number, "US dollars at most", {.most = parameter::most_number}},
    ParameterInfo{"min_tokens", ParameterType::number, "tokens at least", {.most = parameter::most_number}},
    ParameterInfo{"max_tokens", ParameterType::number, "tokens at most", {.most = parameter::most_number}},
    ParameterInfo{"status",
                  ParameterType::words,
                  "status; SUCCESS is OK",
                  {.aliases = "status_code", .words = "OK ERROR UNSET SUCCESS"}},
    ParameterInfo{"tags", ParameterType::list, "rows that have all of these tags"},
    ParameterInfo{"search", ParameterType::text, "words that stand in input or output; takes read:content"},
    ParameterInfo{"view",
                  ParameterType::word,
                  "what a row is: a model call, a trace as its root, any span",
                  {.words = "calls roots spans", .fallback = "calls"}},
};

inline constexpr auto trace_list_parameters =
    trace_filter_parameters + std::array{parameter::cursor,
                                         parameter::limit,
                                         parameter::offset,
                                         parameter::sort_by,
                                         parameter::sort_order,
                                         parameter::fields,
                                         ParameterInfo{"include",
                                                       ParameterType::words,
                                                       "what else is shown of each row",
                                                       {.words = "children evaluations feedback"}}};

// `query` is what stands behind `?`. Unknown parameters are ignored.
ApiResult<ListRequest> list_request(std::string_view query, const Principal& principal, UnixNanos now);

// The body of a search. Unknown members are ignored.
ApiResult<ListRequest> search_request(std::string_view body, const Principal& principal, UnixNanos now);

// The same for tables of records. Parameters are those of the frame (window, page, order, fields), `search`,
// `min_severity`, and names of fields.
struct RecordRequest {
    query::RecordQuestion question;
    Selection selection;
};
ApiResult<RecordRequest> record_list_request(TableId table, std::span<const ParameterInfo> infos,
                                             std::string_view query, const Principal& principal,
                                             UnixNanos now);
ApiResult<RecordRequest> record_search_request(TableId table, std::string_view body,
                                               const Principal& principal, UnixNanos now);

// Whose rows the caller sees; `project` as a request named it, empty for none (contract 1.2).
ApiResult<Scope> scope_of(const Principal& principal, std::string_view project);

query::Content content_for(const Principal& principal);

// What the parameters of the list (above) that `parameters` has ask of a row.
ApiResult<Filter> flat_filter(const Parameters& parameters, UnixNanos now);

// `children,evaluations`; unknown words are refused.
ApiResult<query::Include> include_from(std::string_view list);

}  // namespace obs::serve
