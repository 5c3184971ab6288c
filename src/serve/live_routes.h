// Events as they happen (contract 1.13): a WebSocket, and server-sent events for those who cannot use one.
#pragma once

#include <memory>
#include <vector>

#include "serve/live_sessions.h"
#include "serve/router.h"

namespace obs::serve {

std::vector<Route> live_routes(std::shared_ptr<LiveSessions> sessions);

}  // namespace obs::serve
