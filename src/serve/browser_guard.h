// What a browser may send us: protects a server on loopback against pages that reach it by a name of their
// own (DNS rebinding) or from another origin (decision 31).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"
#include "serve/api_error.h"

namespace obs::serve {

class BrowserGuard {
public:
    // Origins that may read answers, like `http://localhost:3000`; none by default, `*` is all.
    explicit BrowserGuard(std::vector<std::string> origins) : origins_(std::move(origins)) {}

    // A request whose Host is no name of this machine (on loopback listeners), or whose Origin is neither its
    // own nor an allowed one, is refused.
    std::optional<ApiError> refusal(const net::RequestHead& head) const;
    bool allows(std::string_view origin) const;
    // Access-Control-* for an allowed origin; `methods` only for preflights.
    void add_headers(const net::RequestHead& head, std::string_view methods, net::Headers& headers) const;

private:
    std::vector<std::string> origins_;
};

}  // namespace obs::serve
