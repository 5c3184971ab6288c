// Which path is answered by what, and who may ask: one table, read by authorization, the cache, metrics, the
// documentation and the refusals of unknown paths alike.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "catalog/tokens.h"
#include "net/http.h"
#include "serve/api_error.h"
#include "serve/credential.h"
#include "serve/parameters.h"
#include "store/span_store.h"

namespace obs::serve {

struct Reply {
    int status = 200;
    std::string body{};
    std::string_view content_type = "application/json";
    net::Headers headers{};
    // For the cache, of routes that have one. End of the window that the answer is about; nothing: it reaches
    // now, or what it is about may still change.
    std::optional<UnixNanos> until{};
    bool once = false;  // not to be used again: pages behind the first
    // Whom the answer gives a token to; the call is written down as his.
    std::shared_ptr<const Principal> signed_in{};
    // Where in `body` its members begin that differ when it is answered again: `"cached":false,…`, up to the
    // end (envelope.h). Nothing: the body is the same each time.
    std::optional<std::size_t> cached_at{};
    std::optional<net::FileBody> file{};  // instead of `body`
    // The answer goes on behind its head; of routes without a cache.
    std::shared_ptr<net::Session> session{};
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

// What GET /api/v1/openapi.yaml says of a route. Schemas are named as in src/serve/openapi/*.yaml, or made
// from the schema of a table (openapi.h).
struct RouteDocs {
    std::string_view summary{};  // one line; every route has one
    std::string_view tag{};      // the group it stands in: `traces`
    // The table that the handler reads its query with. Parts of the path (`:trace_id`) that stand in it are
    // documented by it too.
    std::span<const ParameterInfo> parameters{};
    std::string_view body{};                             // schema of the JSON body; empty: it takes none
    std::string_view answer{};                           // schema of the answer; empty: it has no body
    int status = 200;                                    // of success
    std::string_view content_type = "application/json";  // of the answer
    std::string_view or_as{};               // another content type that can be asked for; of text
    std::vector<std::string_view> files{};  // content types of a file that is the answer
    std::vector<int> also{};                // other statuses with the same answer: 503 of a probe
    std::vector<int> refusals{};            // beside those that follow from access, parameters, path and body
    std::string_view description{};         // more than the summary, in Markdown
};

// How long an answer to GET or to a search may be used again; decision 23 shortens it: what reaches now is
// computed again when there is new data, and at the latest after 250 ms.
struct CacheRule {
    std::chrono::seconds keep{0};       // 0: never
    std::chrono::seconds keep_past{0};  // when its window ended more than an hour ago; 0: like `keep`
};

struct Route {
    std::string_view method;
    std::string_view pattern;  // `/api/v1/traces/:trace_id`
    Access access;
    std::string_view permission;  // `read:traces`; empty: everybody whom `access` lets in
    Handler handler;
    RouteDocs docs{};
    CacheRule cache{};
    CredentialIn credential = CredentialIn::headers;
    // Who has this one instead may ask too; the handler tells them apart.
    std::string_view or_permission{};
};

// A path that a pattern spells out goes before one with parameters.
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
