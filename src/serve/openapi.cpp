#include "serve/openapi.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "query/fields.h"
#include "serve/openapi_pieces.h"
#include "serve/yaml_writer.h"

namespace obs::serve {

namespace {

using query::Field;
using query::FieldKind;

// By the table's name: a table that is not here is not shown by any route.
struct TableSchema {
    std::string_view table, name, of;
};
constexpr TableSchema table_schemas[] = {
    {"spans", "SpanFields", "What is kept of a span. Which members are there depends on `fields`."},
    {"logs", "LogRecord", "A log record."},
    {"metric_points", "MetricPoint", "A data point of a metric."},
    {"scores", "ScoreFields", "An evaluation or a feedback."},
    {"audit", "AuditRecord", "A call of the API: who asked for what, and what came of it."},
};

struct StatusText {
    int status;
    std::string_view text;
};
constexpr StatusText status_texts[] = {
    {101, "The connection is a WebSocket from here on."},
    {200, "The answer."},
    {201, "It was made."},
    {202, "It was taken on; the answer says where to look."},
    {204, "It was done."},
    {206, "A part of the file, as `Range` asked."},
    {304, "What the client has is still the answer."},
    {400, "The request is wrong; `error.field` names the part."},
    {401, "Nobody knows who asks: no token, a bad one, or one that has expired."},
    {403, "Who asks may not."},
    {404, "There is no such thing, or it belongs to another organisation."},
    {405, "The path has other methods; `Allow` names them."},
    {409, "It does not fit the present state."},
    {410, "It was there and has expired."},
    {413, "The body is too large."},
    {415, "The content coding is not known."},
    {416, "The file is shorter than that."},
    {426, "This path takes WebSockets only."},
    {429, "Too many requests; `Retry-After` says when to come back."},
    {500, "A fault of the server; its log says which."},
    {503, "Something that is needed does not answer, or there is no room; try again."},
    {504, "The answer took too long."},
};

std::string_view text_of(int status) {
    const auto* found = std::ranges::find(status_texts, status, &StatusText::status);
    return found == std::end(status_texts) ? "Refused." : found->text;
}

void write_ref(YamlWriter& yaml, std::string_view schema) {
    yaml.field("$ref", fmt::format("#/components/schemas/{}", schema));
}

template <class Each>
void each_name(std::string_view names, Each&& each) {
    while (!names.empty()) {
        const std::size_t end = std::min(names.find(' '), names.size());
        if (end > 0) each(names.substr(0, end));
        names.remove_prefix(std::min(end + 1, names.size()));
    }
}

void write_names(YamlWriter& yaml, std::string_view key, std::string_view names) {
    yaml.key(key).begin_array();
    each_name(names, [&](std::string_view name) { yaml.value(name); });
    yaml.end_array();
}

// ---- parameters ----

void write_default(YamlWriter& yaml, const ParameterInfo& info) {
    const std::string_view text = info.limits.fallback;
    if (text.empty()) return;
    yaml.key("default");
    switch (info.type) {
        case ParameterType::integer:
        case ParameterType::number: yaml.value(std::stod(std::string(text))); return;
        case ParameterType::flag: yaml.value(text == "true"); return;
        case ParameterType::list:
        case ParameterType::words: {
            std::string blanks(text);
            std::ranges::replace(blanks, ',', ' ');
            yaml.begin_array();
            each_name(blanks, [&](std::string_view name) { yaml.value(name); });
            yaml.end_array();
            return;
        }
        default: yaml.value(text);
    }
}

void write_text_type(YamlWriter& yaml, const ParameterInfo& info) {
    yaml.field("type", "string");
    if (!std::isinf(info.limits.most)) yaml.field("maxLength", info.limits.most);
}

void write_list_type(YamlWriter& yaml, const ParameterInfo& info) {
    yaml.field("type", "array").key("items").begin_object().field("type", "string");
    if (info.type == ParameterType::words) write_names(yaml, "enum", info.limits.words);
    yaml.end_object();
    if (info.limits.least > 0) yaml.field("minItems", info.limits.least);
    if (!std::isinf(info.limits.most)) yaml.field("maxItems", info.limits.most);
}

void write_number_type(YamlWriter& yaml, const ParameterInfo& info) {
    yaml.field("type", info.type == ParameterType::integer ? "integer" : "number");
    yaml.field("minimum", info.limits.least);
    if (!std::isinf(info.limits.most)) yaml.field("maximum", info.limits.most);
}

void write_parameter_schema(YamlWriter& yaml, const ParameterInfo& info) {
    yaml.key("schema").begin_object();
    switch (info.type) {
        case ParameterType::text: write_text_type(yaml, info); break;
        case ParameterType::list:
        case ParameterType::words: write_list_type(yaml, info); break;
        case ParameterType::integer:
        case ParameterType::number: write_number_type(yaml, info); break;
        case ParameterType::word:
            yaml.field("type", "string");
            write_names(yaml, "enum", info.limits.words);
            break;
        case ParameterType::flag: yaml.field("type", "boolean"); break;
        case ParameterType::time: yaml.field("type", "string").field("format", "time-expression"); break;
        case ParameterType::interval:
            yaml.field("type", "string");
            yaml.field("pattern", "^[1-9][0-9]{0,5} ?(s|m|min|h|hr|d|w|second|minute|hour|day|week)s?$");
            break;
    }
    write_default(yaml, info);
    yaml.end_object();
}

void write_parameter(YamlWriter& yaml, const ParameterInfo& info, std::string_view in) {
    yaml.begin_object().field("name", info.name).field("in", in);
    yaml.field("required", info.limits.required || in == "path");
    yaml.field("description", parameter_text(info));
    if (!info.limits.aliases.empty()) write_names(yaml, "x-aliases", info.limits.aliases);
    if (info.type == ParameterType::list || info.type == ParameterType::words)
        yaml.field("style", "form").field("explode", false);
    write_parameter_schema(yaml, info);
    yaml.end_object();
}

bool in_path(const Route& route, std::string_view name) {
    return std::ranges::any_of(path_names(route.pattern),
                               [&](std::string_view part) { return part == name; });
}

void write_parameters(YamlWriter& yaml, const Route& route) {
    const auto names = path_names(route.pattern);
    if (names.empty() && route.docs.parameters.empty()) return;
    yaml.key("parameters").begin_array();
    for (const std::string_view name : names) {
        const auto known = std::ranges::find(route.docs.parameters, name, &ParameterInfo::name);
        const ParameterInfo plain{name, ParameterType::text, "part of the path", {.most = 200}};
        write_parameter(yaml, known == route.docs.parameters.end() ? plain : *known, "path");
    }
    for (const ParameterInfo& info : route.docs.parameters)
        if (!in_path(route, info.name)) write_parameter(yaml, info, "query");
    yaml.end_array();
}

// ---- answers ----

void write_content(YamlWriter& yaml, std::string_view type, std::string_view schema,
                   std::string_view text_type = {}) {
    yaml.key("content").begin_object();
    if (!text_type.empty()) {
        yaml.key(text_type).begin_object().key("schema").begin_object().field("type", "string");
        yaml.end_object().end_object();
    }
    yaml.key(type.substr(0, type.find(';'))).begin_object();
    yaml.key("schema").begin_object();
    if (!schema.empty())
        write_ref(yaml, schema);
    else
        yaml.field("type", "string");
    yaml.end_object().end_object().end_object();
}

void write_header_refs(YamlWriter& yaml, const Route& route) {
    yaml.key("headers").begin_object();
    const auto refer = [&](std::string_view name) {
        yaml.key(name)
            .begin_object()
            .field("$ref", fmt::format("#/components/headers/{}", name))
            .end_object();
    };
    refer("X-Request-ID");
    if (route.access == Access::token)
        for (const std::string_view name :
             {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"})
            refer(name);
    if (route.cache.keep.count() > 0)
        for (const std::string_view name : {"ETag", "Last-Modified"}) refer(name);
    yaml.end_object();
}

void write_files(YamlWriter& yaml, std::span<const std::string_view> types) {
    yaml.key("content").begin_object();
    for (const std::string_view type : types) {
        yaml.key(type).begin_object().key("schema").begin_object();
        // Of what is JSON the schema speaks of its value, which may be anything.
        if (type != "application/json") yaml.field("type", "string").field("format", "binary");
        yaml.end_object().end_object();
    }
    yaml.end_object();
}

void write_success(YamlWriter& yaml, const Route& route, int status) {
    if (!route.docs.files.empty()) {
        yaml.key(std::to_string(status)).begin_object().field("description", text_of(status));
        write_header_refs(yaml, route);
        write_files(yaml, route.docs.files);
        yaml.end_object();
        return;
    }
    const bool body = status != 204 && status != 101 &&
                      (!route.docs.answer.empty() || route.docs.content_type != "application/json");
    yaml.key(std::to_string(status)).begin_object().field("description", text_of(status));
    write_header_refs(yaml, route);
    if (body) write_content(yaml, route.docs.content_type, route.docs.answer, route.docs.or_as);
    yaml.end_object();
}

void write_responses(YamlWriter& yaml, const Route& route) {
    yaml.key("responses").begin_object();
    write_success(yaml, route, route.docs.status);
    for (const int status : route.docs.also) write_success(yaml, route, status);
    if (route.cache.keep.count() > 0) {
        yaml.key("304").begin_object().field("description", text_of(304));
        write_header_refs(yaml, route);
        yaml.end_object();
    }
    for (const int status : refusals_of(route)) {
        const bool own = status == route.docs.status || std::ranges::count(route.docs.also, status) != 0;
        if (own) continue;
        yaml.key(std::to_string(status)).begin_object();
        yaml.field("$ref", fmt::format("#/components/responses/{}", status)).end_object();
    }
    yaml.key("default").begin_object().field("$ref", "#/components/responses/default").end_object();
    yaml.end_object();
}

void write_operation(YamlWriter& yaml, const Route& route) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    yaml.key(method).begin_object();
    yaml.field("operationId", operation_id(route));
    yaml.field("summary", route.docs.summary);
    if (const std::string text = operation_text(route); !text.empty()) yaml.field("description", text);
    yaml.key("tags").begin_array().value(tag_of(route)).end_array();
    yaml.key("security").begin_array();
    if (route.access != Access::open) yaml.begin_object().key("token").begin_array().end_array().end_object();
    if (route.access == Access::open_on_loopback) yaml.begin_object().end_object();
    yaml.end_array();
    write_parameters(yaml, route);
    if (!route.docs.body.empty()) {
        yaml.key("requestBody").begin_object().field("required", true);
        write_content(yaml, "application/json", route.docs.body);
        yaml.end_object();
    }
    write_responses(yaml, route);
    yaml.end_object();
}

void write_paths(YamlWriter& yaml, std::span<const Route> routes) {
    std::map<std::string, std::vector<const Route*>> paths;
    for (const Route& route : routes) paths[path_template(route.pattern)].push_back(&route);
    yaml.key("paths").begin_object();
    for (const auto& [path, operations] : paths) {
        yaml.key(path).begin_object();
        for (const Route* route : operations) write_operation(yaml, *route);
        yaml.end_object();
    }
    yaml.end_object();
}

// ---- components ----

void write_words(YamlWriter& yaml, std::span<const std::string_view> words) {
    yaml.field("type", "string").key("enum").begin_array();
    for (const std::string_view word : words) yaml.value(word);
    yaml.end_array();
}

void write_field_type(YamlWriter& yaml, const Field& field) {
    constexpr std::array<std::string_view, 3> statuses{"UNSET", "OK", "ERROR"};
    constexpr std::array<std::string_view, 6> kinds{"unspecified", "internal", "server",
                                                    "client",      "producer", "consumer"};
    const auto list = [&] {
        yaml.field("type", "array").key("items").begin_object().field("type", "string").end_object();
    };
    switch (field.kind) {
        case FieldKind::text: yaml.field("type", "string"); return;
        case FieldKind::status: write_words(yaml, statuses); return;
        case FieldKind::span_kind: write_words(yaml, kinds); return;
        case FieldKind::trace_id: yaml.field("type", "string").field("pattern", "^[0-9a-f]{32}$"); return;
        case FieldKind::span_id: yaml.field("type", "string").field("pattern", "^[0-9a-f]{16}$"); return;
        case FieldKind::list:
        case FieldKind::repairs: list(); return;
        case FieldKind::map:
        case FieldKind::parameters: yaml.field("type", "object").field("additionalProperties", true); return;
        case FieldKind::json: return;  // whatever it is
        case FieldKind::integer:
        case FieldKind::whole_milliseconds: yaml.field("type", "integer").field("format", "int64"); return;
        case FieldKind::number:
        case FieldKind::milliseconds:
        case FieldKind::dollars: yaml.field("type", "number").field("format", "double"); return;
        case FieldKind::flag: yaml.field("type", "boolean"); return;
        case FieldKind::time: yaml.field("type", "string").field("format", "date-time"); return;
    }
}

void write_table_schema(YamlWriter& yaml, TableId table) {
    const auto* found = std::ranges::find(table_schemas, table_name(table), &TableSchema::table);
    if (found == std::end(table_schemas)) return;
    const TableSchema& schema = *found;
    yaml.key(schema.name).begin_object();
    yaml.field("type", "object").field("description", schema.of).field("additionalProperties", true);
    yaml.key("required").begin_array().value("ts").end_array();
    yaml.key("properties").begin_object();
    const auto write = [&](std::string_view name, const Field& field, std::string_view note) {
        yaml.key(name).begin_object();
        write_field_type(yaml, field);
        std::string text(field.meaning);
        if (!field.unit().empty()) text += fmt::format("; {}", field.unit());
        if (field.is_content()) text += "; only with the permission read:content";
        yaml.field("description", text + std::string(note)).end_object();
    };
    for (const Field& field : query::fields_of(table)) {
        write(field.name, field, "");
        for (const std::string_view alias : field.aliases)
            write(alias, field, fmt::format(" (another name of {})", field.name));
    }
    yaml.end_object().end_object();
}

void write_error_codes(YamlWriter& yaml) {
    yaml.key("ErrorCode").begin_object().field("type", "string");
    yaml.field("description", "What was refused, for programs.").key("enum").begin_array();
    std::set<std::string_view> seen;
    for (const ErrorInfo& info : all_errors())
        if (seen.insert(info.code).second) yaml.value(info.code);
    yaml.end_array().end_object();
}

void write_components(YamlWriter& yaml) {
    yaml.key("components").begin_object();
    yaml.lines(piece("components.txt"));
    yaml.key("responses").begin_object();
    const auto refusal = [&](std::string_view name, std::string_view text) {
        yaml.key(name).begin_object().field("description", text);
        yaml.key("headers").begin_object();
        yaml.key("X-Request-ID")
            .begin_object()
            .field("$ref", "#/components/headers/X-Request-ID")
            .end_object();
        yaml.end_object();
        write_content(yaml, "application/json", "Error");
        yaml.end_object();
    };
    for (const StatusText& status : status_texts)
        if (status.status >= 400) refusal(std::to_string(status.status), status.text);
    refusal("default", "Refused.");
    yaml.end_object();
    yaml.key("schemas").begin_object();
    for (const TableId table : all_tables) write_table_schema(yaml, table);
    write_error_codes(yaml);
    for (const Piece& part : schema_pieces()) yaml.lines(part.text);
    yaml.end_object().end_object();
}

}  // namespace

std::string openapi_document(std::span<const Route> routes) {
    std::string out;
    YamlWriter yaml(out);
    yaml.field("openapi", "3.0.3").key("info").begin_object();
    yaml.field("title", "LLM Observatory").field("version", "1.0");
    yaml.field("description", piece("introduction.md"));
    yaml.key("license").begin_object().field("name", "Apache-2.0");
    yaml.field("url", "https://www.apache.org/licenses/LICENSE-2.0").end_object();
    yaml.end_object();
    yaml.key("servers").begin_array().begin_object().field("url", "/").end_object().end_array();
    yaml.key("tags").begin_array();
    for (const std::string_view tag : tags_of(routes)) yaml.begin_object().field("name", tag).end_object();
    yaml.end_array();
    write_paths(yaml, routes);
    write_components(yaml);
    out += '\n';
    return out;
}

std::vector<std::string> missing_schemas(std::span<const Route> routes) {
    const std::string document = openapi_document(routes);
    constexpr std::string_view prefix = "#/components/schemas/";
    std::set<std::string> missing;
    for (std::size_t at = document.find(prefix); at != std::string::npos; at = document.find(prefix, at)) {
        at += prefix.size();
        const std::size_t end = document.find_first_of("\"' \n", at);
        const std::string name = document.substr(at, end - at);
        if (document.find("\n    " + name + ":") == std::string::npos) missing.insert(name);
    }
    return {missing.begin(), missing.end()};
}

std::vector<Route> docs_routes(std::shared_ptr<const Documents> documents) {
    std::vector<Route> routes;
    routes.push_back({"GET",
                      "/api/v1/openapi.yaml",
                      Access::open,
                      "",
                      [documents](const Call&) -> ApiResult<Reply> {
                          return Reply{.body = documents->yaml, .content_type = "application/yaml"};
                      },
                      {.summary = "This description of the API, for programs",
                       .tag = "system",
                       .content_type = "application/yaml"}});
    routes.push_back({"GET",
                      "/api/docs",
                      Access::open,
                      "",
                      [documents](const Call&) -> ApiResult<Reply> {
                          return Reply{.body = documents->page, .content_type = "text/html; charset=utf-8"};
                      },
                      {.summary = "This description of the API, for people",
                       .tag = "system",
                       .content_type = "text/html"}});
    routes.push_back({"GET",
                      "/api/docs/style.css",
                      Access::open,
                      "",
                      [](const Call&) -> ApiResult<Reply> {
                          return Reply{.body = std::string(piece("style.css")),
                                       .content_type = "text/css; charset=utf-8"};
                      },
                      {.summary = "How that page looks", .tag = "system", .content_type = "text/css"}});
    return routes;
}

}  // namespace obs::serve
