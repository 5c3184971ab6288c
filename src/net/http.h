// What the two servers (OTLP intake and REST) see of HTTP: a request in, a response out. Sockets, TLS,
// HTTP/1.1, HTTP/2 and content codings stay behind net/server.h.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/buffer.h"

namespace obs::net {

// Names in lower case, in the order they came.
class Headers {
public:
    Headers() = default;
    Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    // The first field of that name; empty if there is none. `name` in lower case.
    std::string_view get(std::string_view name) const {
        for (const auto& [key, value] : fields_)
            if (key == name) return value;
        return {};
    }
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }
    bool empty() const { return fields_.empty(); }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct RequestHead {
    std::string method;
    std::string path;   // as sent, without the query
    std::string query;  // as sent, without `?`
    Headers headers;
    std::string peer;  // address without port
    bool http2 = false;
    bool tls = false;
    bool listener_on_loopback = true;
};

struct Request {
    RequestHead head;
    Buffer body;  // content coding removed
};

struct Response {
    int status = 200;
    Headers headers{};  // content-length, connection and date are added by the server
    std::string body{};
    Headers trailers{};  // HTTP/2 only
};

// Must be called exactly once, from any thread. A client that went away is no error.
using Respond = std::function<void(Response)>;

// The server wants a body of at most this many bytes, before and after decoding.
struct Proceed {
    std::size_t body_limit;
};

class Service {
public:
    virtual ~Service() = default;
    // On an I/O thread, when the head is there and nothing of the body was read: go on, or refuse at once.
    virtual std::variant<Proceed, Response> admit(const RequestHead& head) = 0;
    // On an I/O thread, with the whole body; may respond later and from elsewhere. May not block.
    virtual void handle(Request request, Respond respond) = 0;
    // What the server itself refuses (400 bad coding, 408, 413, 431, 503 no room), in the words of this
    // service.
    virtual Response refusal(const RequestHead& head, int status, std::string_view reason) = 0;
};

}  // namespace obs::net
