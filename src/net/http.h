// What the two servers (OTLP intake and REST) see of HTTP: a request in, a response out. Sockets, TLS,
// HTTP/1.1, HTTP/2 and content codings stay behind net/server.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/byte_budget.h"
#include "net/file_body.h"
#include "net/session.h"

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
    std::string method{};
    std::string path{};   // as sent, without the query
    std::string query{};  // as sent, without `?`
    Headers headers{};
    std::string peer{};  // address without port
    bool http2 = false;
    bool tls = false;
    bool listener_on_loopback = true;
};

struct Request {
    RequestHead head{};
    Buffer body{};                          // content coding removed
    std::size_t received = 0;               // bytes of the body before its content coding was removed
    std::shared_ptr<const void> context{};  // Proceed::context
    ByteBudget::Token charge{};             // what the body weighs; keep it as long as the body
};

struct Response {
    int status = 200;
    Headers headers{};  // content-length, connection and date are added by the server
    std::string body{};
    Headers trailers{};              // HTTP/2 only
    std::optional<FileBody> file{};  // the body, instead of `body`
    // What comes instead of `body`, as long as it lasts: a WebSocket with status 101 (websocket.h), else a
    // body whose end nobody knows.
    std::shared_ptr<Session> session{};

    std::uint64_t length() const { return file ? file->size() : body.size(); }
};

// Must be called exactly once, from any thread, even after the server is gone. A client that went away is no
// error.
using Respond = std::function<void(Response)>;

// The service wants a body of at most this many bytes, before and after decoding.
struct Proceed {
    std::size_t body_limit;
    std::shared_ptr<const void> context{};  // comes back with the request; kept until it is answered
    // When the service has not answered so long after the head came, the server answers `late()`; what the
    // service answers afterwards is dropped.
    std::optional<std::chrono::nanoseconds> answer_within{};
    std::function<Response()> late{};
};

class Service {
public:
    virtual ~Service() = default;
    // On an I/O thread, when the head is there and nothing of the body was read: go on, or refuse at once.
    virtual std::variant<Proceed, Response> admit(const RequestHead& head) = 0;
    // With the whole body, on an I/O thread, or on a worker when the body is big; may respond later and from
    // elsewhere. May not block.
    virtual void handle(Request request, Respond respond) = 0;
    // What the server itself refuses (400 bad coding, 408, 413, 431, 503 no room), in the words of this
    // service.
    virtual Response refusal(const RequestHead& head, int status, std::string_view reason) = 0;
};

}  // namespace obs::net
