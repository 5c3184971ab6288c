// What a client of the live events says (contract 1.13), understood.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"
#include "catalog/tokens.h"
#include "live/events.h"
#include "model/question.h"
#include "serve/api_error.h"
#include "serve/parameters.h"

namespace obs::serve {

struct LiveSubscribe {
    live::EventSet events;
    Filter filter{};
};
struct LiveUnsubscribe {
    live::EventSet events;
};
struct LivePing {};
using LiveMessage = std::variant<LiveSubscribe, LiveUnsubscribe, LivePing>;

// One message of a WebSocket. Refusals name the member at fault.
ApiResult<LiveMessage> live_message(std::string_view json, UnixNanos now);

// The parameters of an event stream.
std::span<const ParameterInfo> live_parameters();
ApiResult<LiveSubscribe> live_subscription(const Parameters& parameters, const Principal& principal,
                                           UnixNanos now);

// The permission that an event takes.
std::string_view permission_of(LiveEventType type);
live::EventSet events_for(const Principal& principal);
// What somebody hears who did not say what: trace_created, if that is allowed.
live::EventSet unasked_events(const Principal& principal);
// Why the caller may not have these events, or not by this filter.
std::optional<ApiError> denied(const LiveSubscribe& wanted, const Principal& principal);

}  // namespace obs::serve
