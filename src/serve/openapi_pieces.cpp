#include "serve/openapi_pieces.h"

#include <algorithm>
#include <set>

namespace obs::serve {

namespace {
#include "openapi_pieces.inc"
}  // namespace

std::string_view piece(std::string_view name) {
    const auto* found = std::ranges::find(pieces, name, &Piece::name);
    return found == std::end(pieces) ? std::string_view() : found->text;
}

std::vector<Piece> schema_pieces() {
    std::vector<Piece> schemas;
    for (const Piece& each : pieces)
        if (each.name.ends_with(".yaml")) schemas.push_back(each);
    return schemas;
}

std::string path_template(std::string_view pattern) {
    std::string path;
    bool named = false;
    for (const char c : pattern) {
        if (c == ':') {
            path += '{';
            named = true;
            continue;
        }
        if (c == '/' && named) {
            path += '}';
            named = false;
        }
        path += c;
    }
    return named ? path + '}' : path;
}

std::vector<std::string_view> path_names(std::string_view pattern) {
    std::vector<std::string_view> names;
    for (std::size_t at = pattern.find(':'); at != std::string_view::npos; at = pattern.find(':', at + 1))
        names.push_back(pattern.substr(at + 1, pattern.find('/', at) - at - 1));
    return names;
}

std::string operation_id(const Route& route) {
    std::string_view path = route.pattern;
    constexpr std::string_view prefix = "/api/v1/";
    if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
    std::string id;
    for (const char c : route.method) id += static_cast<char>(c | 0x20);
    // /metrics of the server and /api/v1/metrics are two.
    id += path.starts_with('/') ? "_server" : "_";
    for (const char c : path) {
        if (c == ':') continue;
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
        id += plain ? c : '_';
    }
    return id;
}

std::string operation_text(const Route& route) {
    std::string text(route.docs.description);
    const auto add = [&](std::string more) { text += (text.empty() ? "" : "\n\n") + std::move(more); };
    if (!route.permission.empty()) add(fmt::format("Takes the permission `{}`.", route.permission));
    if (route.cache.keep.count() > 0)
        add(fmt::format("An answer may be used again for {} s; what reaches now is never older than 250 ms.",
                        std::max(route.cache.keep, route.cache.keep_past).count()));
    return text;
}

std::string_view tag_of(const Route& route) {
    return route.docs.tag.empty() ? "other" : route.docs.tag;
}

std::vector<std::string_view> tags_of(std::span<const Route> routes) {
    std::vector<std::string_view> tags;
    for (const Route& route : routes)
        if (std::ranges::find(tags, tag_of(route)) == tags.end()) tags.push_back(tag_of(route));
    return tags;
}

std::vector<int> refusals_of(const Route& route) {
    std::set<int> statuses(route.docs.refusals.begin(), route.docs.refusals.end());
    const bool parts = !path_names(route.pattern).empty();
    if (!route.docs.parameters.empty() || !route.docs.body.empty()) statuses.insert(400);
    if (parts) statuses.insert(404);
    if (!route.docs.body.empty()) statuses.insert({413, 415});
    if (route.access == Access::open) return {statuses.begin(), statuses.end()};
    statuses.insert({401, 403, 429, 500, 503, 504});
    return {statuses.begin(), statuses.end()};
}

std::string parameter_text(const ParameterInfo& info) {
    std::string text(info.meaning);
    if (info.type == ParameterType::time)
        text += "; `now-1h`, RFC 3339, a date, or seconds or milliseconds since 1970";
    if (info.type == ParameterType::list || info.type == ParameterType::words)
        text += "; separated by commas";
    if (info.limits.aliases.empty()) return text;
    std::string aliases(info.limits.aliases);
    for (std::size_t at = aliases.find(' '); at != std::string::npos; at = aliases.find(' ', at + 3))
        aliases.replace(at, 1, "`, `");
    return text + fmt::format(". Also `{}`.", aliases);
}

}  // namespace obs::serve
