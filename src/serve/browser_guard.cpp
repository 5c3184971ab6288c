#include "serve/browser_guard.h"

#include <algorithm>

namespace obs::serve {

namespace {

// `host:port` without the port; an IPv6 address keeps its brackets.
std::string_view without_port(std::string_view host) {
    const std::size_t from = host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0;
    return host.substr(0, host.find(':', from));
}

bool is_dotted_loopback(std::string_view host) {
    return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_this_machine(std::string_view host) {
    return host == "localhost" || host == "[::1]" || is_dotted_loopback(host);
}

bool is_own_origin(std::string_view origin, std::string_view host) {
    const std::size_t scheme = origin.find("://");
    return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
}

}  // namespace

bool BrowserGuard::allows(std::string_view origin) const {
    return std::ranges::any_of(origins_,
                               [&](const std::string& known) { return known == "*" || known == origin; });
}

std::optional<ApiError> BrowserGuard::refusal(const net::RequestHead& head) const {
    const std::string_view host = head.headers.get("host");
    // Browsers always send a host; programs that do not are no danger.
    if (head.listener_on_loopback && !host.empty() && !is_this_machine(without_port(host)))
        return ApiError{ErrorCode::resource_access_denied, "this server answers to localhost only", "Host"};
    const std::string_view origin = head.headers.get("origin");
    if (origin.empty() || is_own_origin(origin, host) || allows(origin)) return std::nullopt;
    return ApiError{ErrorCode::resource_access_denied,
                    "this origin may not use the server; allow it by --cors-origins", "Origin"};
}

void BrowserGuard::add_headers(const net::RequestHead& head, std::string_view methods,
                               net::Headers& headers) const {
    const std::string_view origin = head.headers.get("origin");
    if (origin.empty() || !allows(origin)) return;
    headers.add("access-control-allow-origin", std::string(origin));
    headers.add("vary", "Origin");
    headers.add(
        "access-control-expose-headers",
        "X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, ETag");
    if (methods.empty()) return;
    headers.add("access-control-allow-methods", std::string(methods));
    headers.add("access-control-allow-headers",
                "authorization, content-type, x-api-key, x-request-id, if-none-match, if-modified-since");
    headers.add("access-control-max-age", "3600");
}

}  // namespace obs::serve
