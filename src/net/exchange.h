// One request from its head to the service that answers it, whatever the protocol. Inside net/ only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "net/decompress.h"
#include "net/http.h"
#include "net/protocol.h"

namespace obs::net {

class Exchange {
public:
    // `request` comes back with the answer (Protocol::respond).
    Exchange(const Wire& wire, std::uint32_t request, RequestHead head);

    // Asks the service; a response means that it is refused and the exchange is over.
    std::optional<Response> admit(std::optional<std::uint64_t> content_length);
    // The next bytes of the body; a response means that it is refused.
    std::optional<Response> receive(std::string_view bytes);
    // The body is complete: the answer comes by Protocol::respond.
    void finish();

    // A body that comes too slowly, or an answer that is too late.
    std::optional<Response> overdue() const;
    Response refusal(int status, std::string_view reason) const;

private:
    std::optional<Response> make_room(std::size_t bytes);

    const Wire& wire_;
    const std::uint32_t number_;
    const Time began_;
    Request request_;
    Coding coding_ = Coding::identity;
    Proceed terms_{};
    std::optional<std::size_t> length_;
    bool handed_over_ = false;
};

}  // namespace obs::net
