#include "serve/router.h"

#include <algorithm>

#include "serve/query_string.h"

namespace obs::serve {

namespace {

using Captured = std::vector<std::pair<std::string_view, std::string>>;

// The part before the next slash; moves past it.
std::string_view next_part(std::string_view& path) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return part;
}

std::optional<Captured> matched(std::string_view pattern, std::string_view path) {
    // Most patterns are out of the question at their first difference.
    if (!path.starts_with(pattern.substr(0, pattern.find(':')))) return std::nullopt;
    Captured captured;
    while (!pattern.empty() && !path.empty()) {
        const std::string_view wanted = next_part(pattern), part = next_part(path);
        if (wanted.starts_with(':')) {
            if (part.empty()) return std::nullopt;
            captured.emplace_back(wanted.substr(1), percent_decoded(part));
        } else if (wanted != part) {
            return std::nullopt;
        }
    }
    if (!pattern.empty() || !path.empty()) return std::nullopt;
    return captured;
}

std::string_view without_slash_behind(std::string_view path) {
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    return path;
}

}  // namespace

std::string_view Call::parameter(std::string_view name) const {
    for (const auto& [key, value] : path)
        if (key == name) return value;
    return {};
}

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
    // `/traces/facets` is no trace.
    std::ranges::stable_sort(routes_, {},
                             [](const Route& route) { return std::ranges::count(route.pattern, ':'); });
}

ApiResult<Router::Match> Router::find(std::string_view method, std::string_view path) const {
    path = without_slash_behind(path);
    for (const Route& route : routes_) {
        if (route.method != method) continue;
        if (auto captured = matched(route.pattern, path)) return Match{&route, std::move(*captured)};
    }
    std::string allowed = methods_of(path);
    if (allowed.empty()) return refuse(ErrorCode::resource_not_found, "", "there is nothing at this path");
    ApiError error{ErrorCode::method_not_allowed, fmt::format("this path takes {}", allowed)};
    error.headers.add("allow", std::move(allowed));
    return std::unexpected(std::move(error));
}

std::string Router::methods_of(std::string_view path) const {
    std::string methods;
    for (const Route& route : routes_) {
        if (!matched(route.pattern, without_slash_behind(path))) continue;
        if (!methods.empty()) methods += ", ";
        methods += route.method;
    }
    return methods;
}

}  // namespace obs::serve
