// The API described: OpenAPI 3.0.3 for programs, one page for people. Both are made from the table of routes,
// the schemas of openapi/*.yaml, and the schema of the tables (query/fields.h): they say what the program
// does.
//
// A schema is a top-level key of a file in openapi/, in block style, and refers to others by
// `$ref: "#/components/schemas/Name"`. Made from tables: SpanFields, LogRecord, MetricPoint, ScoreFields,
// AuditRecord.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serve/router.h"

namespace obs::serve {

// The document as YAML.
std::string openapi_document(std::span<const Route> routes);

// The same as a page that needs no script and nothing from elsewhere; its style is /api/docs/style.css.
std::string docs_page(std::span<const Route> routes);

// Names of schemas that routes or other schemas speak of and that are not there; for tests.
std::vector<std::string> missing_schemas(std::span<const Route> routes);

struct Documents {
    std::string yaml, page;
};

// GET /api/v1/openapi.yaml, /api/docs and its style. What `documents` points to may be filled later, before
// the first request: it describes these routes too.
std::vector<Route> docs_routes(std::shared_ptr<const Documents> documents);

}  // namespace obs::serve
