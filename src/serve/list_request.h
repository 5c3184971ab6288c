// The list and the search as HTTP asks for them (contract 1.4 and 1.7), made into one question.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"
#include "catalog/tokens.h"
#include "query/traces.h"
#include "serve/api_error.h"
#include "serve/row_json.h"

namespace obs::serve {

struct ListRequest {
    query::ListQuestion question;
    Selection selection;
};

// `query` is what stands behind `?`. Unknown parameters are ignored.
ApiResult<ListRequest> list_request(std::string_view query, const Principal& principal, UnixNanos now);

// The body of a search. Unknown members are ignored.
ApiResult<ListRequest> search_request(std::string_view body, const Principal& principal, UnixNanos now);

// Whose rows the caller sees; `project` as a request named it, empty for none (contract 1.2).
ApiResult<Scope> scope_of(const Principal& principal, std::string_view project);

query::Content content_for(const Principal& principal);

// `children,evaluations`; unknown words are refused.
ApiResult<query::Include> include_from(std::string_view list);

}  // namespace obs::serve
