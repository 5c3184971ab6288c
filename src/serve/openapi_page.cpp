// The page about the API: plain HTML, so that it works without a script and under a strict policy.
#include <set>

#include "serve/openapi.h"
#include "serve/openapi_pieces.h"

namespace obs::serve {

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
        }
    }
    return out;
}

// `code` and paragraphs, the Markdown that descriptions use.
std::string paragraphs(std::string_view markdown) {
    std::string out = "<p>";
    bool code = false;
    const std::string text = escaped(markdown);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '`') {
            out += code ? "</code>" : "<code>";
            code = !code;
        } else if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] == '\n') {
            out += "</p>\n<p>";
            ++i;
        } else {
            out += text[i];
        }
    }
    return out + "</p>\n";
}

std::string_view type_of(const ParameterInfo& info) {
    switch (info.type) {
        case ParameterType::text: return "text";
        case ParameterType::word: return "one of";
        case ParameterType::list: return "list";
        case ParameterType::words: return "list of";
        case ParameterType::integer: return "whole number";
        case ParameterType::number: return "number";
        case ParameterType::flag: return "true or false";
        case ParameterType::time: return "time";
        case ParameterType::interval: return "interval";
    }
    return {};
}

std::string limits_of(const ParameterInfo& info) {
    std::string text(type_of(info));
    if (!info.limits.words.empty()) text += " " + std::string(info.limits.words);
    const bool numeric = info.type == ParameterType::integer || info.type == ParameterType::number;
    if (numeric) text += fmt::format(", {} to {}", info.limits.least, info.limits.most);
    if (!info.limits.fallback.empty()) text += fmt::format("; {} when not said", info.limits.fallback);
    if (info.limits.required) text += "; required";
    return text;
}

std::string schema_link(std::string_view name) {
    return fmt::format("<a href=\"#schema-{0}\">{0}</a>", name);
}

// Links the names that a schema refers to.
std::string linked(std::string_view yaml) {
    constexpr std::string_view prefix = "#/components/schemas/";
    std::string out;
    while (true) {
        const std::size_t at = yaml.find(prefix);
        if (at == std::string_view::npos) return out + escaped(yaml);
        const std::size_t begin = at + prefix.size();
        const std::size_t end = std::min(yaml.find_first_of("\"' \n", begin), yaml.size());
        out += escaped(yaml.substr(0, at)) + schema_link(yaml.substr(begin, end - begin));
        yaml.remove_prefix(end);
    }
}

std::string operation(const Route& route) {
    std::string out = fmt::format(
        "<section id=\"{}\">\n<h3><span class=\"method\">{}</span> <code>{}</code></h3>\n<p>{}</p>\n",
        operation_id(route), route.method, escaped(path_template(route.pattern)),
        escaped(route.docs.summary));
    if (const std::string text = operation_text(route); !text.empty()) out += paragraphs(text);
    if (!route.docs.parameters.empty()) {
        out += "<table>\n<tr><th>Parameter</th><th>Value</th><th>Meaning</th></tr>\n";
        for (const ParameterInfo& info : route.docs.parameters)
            out += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", info.name,
                               escaped(limits_of(info)), escaped(parameter_text(info)));
        out += "</table>\n";
    }
    out += "<p>";
    if (!route.docs.body.empty()) out += fmt::format("Body: {}. ", schema_link(route.docs.body));
    out += fmt::format("Answer: {}", route.docs.status);
    if (!route.docs.answer.empty()) out += " " + schema_link(route.docs.answer);
    return out + ".</p>\n</section>\n";
}

// The schemas of a document, each with its lines.
std::vector<std::pair<std::string, std::string>> schemas_of(const std::string& document) {
    std::vector<std::pair<std::string, std::string>> schemas;
    std::size_t at = document.find("\n  schemas:\n");
    if (at == std::string::npos) return schemas;
    at = document.find('\n', at + 1) + 1;
    while (at < document.size()) {
        const std::size_t end = std::min(document.find('\n', at), document.size());
        const std::string line = document.substr(at, end - at);
        at = end + 1;
        if (line.starts_with("    ") && line.size() > 4 && line[4] != ' ')
            schemas.emplace_back(line.substr(4, line.find(':') - 4), "");
        else if (!schemas.empty())
            schemas.back().second += line.substr(std::min<std::size_t>(line.size(), 6)) + "\n";
    }
    return schemas;
}

}  // namespace

std::string docs_page(std::span<const Route> routes) {
    std::string out =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>LLM Observatory API</title>\n<link rel=\"stylesheet\" href=\"/api/docs/style.css\">\n"
        "</head>\n<body>\n<h1>LLM Observatory API</h1>\n";
    out += paragraphs(piece("introduction.md"));
    out += "<p>For programs: <a href=\"/api/v1/openapi.yaml\">openapi.yaml</a>.</p>\n<nav>\n";
    for (const std::string_view tag : tags_of(routes)) {
        out += fmt::format("<h2><a href=\"#{0}\">{0}</a></h2>\n<ul>\n", tag);
        for (const Route& route : routes)
            if (tag_of(route) == tag)
                out += fmt::format("<li><a href=\"#{}\"><code>{} {}</code></a> {}</li>\n",
                                   operation_id(route), route.method, escaped(path_template(route.pattern)),
                                   escaped(route.docs.summary));
        out += "</ul>\n";
    }
    out += "</nav>\n<main>\n";
    for (const std::string_view tag : tags_of(routes)) {
        out += fmt::format("<h2 id=\"{0}\">{0}</h2>\n", tag);
        for (const Route& route : routes)
            if (tag_of(route) == tag) out += operation(route);
    }
    out += "<h2 id=\"schemas\">Schemas</h2>\n";
    for (const auto& [name, text] : schemas_of(openapi_document(routes)))
        out += fmt::format("<details id=\"schema-{0}\"><summary>{0}</summary><pre>{1}</pre></details>\n",
                           name, linked(text));
    return out + "</main>\n</body>\n</html>\n";
}

}  // namespace obs::serve
