// What the document and the page about the API share.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/router.h"

namespace obs::serve {

// A file of openapi/, embedded.
struct Piece {
    std::string_view name, text;
};
// Its text; empty if there is no such file.
std::string_view piece(std::string_view name);
// The files with schemas: *.yaml.
std::vector<Piece> schema_pieces();

// `/api/v1/traces/{trace_id}`
std::string path_template(std::string_view pattern);
// The names behind colons.
std::vector<std::string_view> path_names(std::string_view pattern);
// `get_traces_trace_id`: unique, and the same as long as the route is.
std::string operation_id(const Route& route);
// What is said below the summary: description, permission, caching.
std::string operation_text(const Route& route);
std::string_view tag_of(const Route& route);
// Each once, in the order of the routes.
std::vector<std::string_view> tags_of(std::span<const Route> routes);
// Statuses of refusals, ascending.
std::vector<int> refusals_of(const Route& route);
// Meaning, limits that a schema does not tell, other spellings.
std::string parameter_text(const ParameterInfo& info);

}  // namespace obs::serve
