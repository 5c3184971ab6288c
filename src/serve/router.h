// Which path is answered by what, and who may ask: one table, read by authorization, metrics and the refusals
// of unknown paths alike.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "catalog/tokens.h"
#include "net/http.h"
#include "serve/api_error.h"
#include "store/span_store.h"

namespace obs::serve {

struct Reply {
    int status = 200;
    std::string body{};
    std::string_view content_type = "application/json";
};

// One request on its way through a handler.
struct Call {
    const net::Request& request;
    const std::vector<std::pair<std::string_view, std::string>>&
        path;                    // `:trace_id` and what stood there, decoded
    const Principal* principal;  // null on routes without permission
    std::string_view request_id;
    UnixNanos now;  // when the head came
    std::chrono::steady_clock::time_point began;
    Cancel cancel;

    std::string_view parameter(std::string_view name) const;  // of the path
};
// On a worker; may wait for the store.
using Handler = std::function<ApiResult<Reply>(const Call&)>;

enum class Access : std::uint8_t {
    open,              // nobody is asked who he is
    open_on_loopback,  // a token with the permission off loopback (decision 31)
    token,
};

struct Route {
    std::string_view method;
    std::string_view pattern;  // `/api/v1/traces/:trace_id`
    Access access;
    std::string_view permission;  // `read:traces`; empty for open routes
    Handler handler;
};

class Router {
public:
    explicit Router(std::vector<Route> routes);

    struct Match {
        const Route* route;
        std::vector<std::pair<std::string_view, std::string>> path;
    };
    // The route, or the refusal (404, or 405 with Allow).
    ApiResult<Match> find(std::string_view method, std::string_view path) const;
    // The methods of a path, separated by commas; empty for unknown paths.
    std::string methods_of(std::string_view path) const;

    const std::vector<Route>& routes() const { return routes_; }

private:
    std::vector<Route> routes_;
};

}  // namespace obs::serve
