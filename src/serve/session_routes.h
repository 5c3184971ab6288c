// Sessions and end users, and a session as a thread of turns.
#pragma once

#include <vector>

#include "serve/analytics_request.h"
#include "serve/router.h"

namespace obs::serve {

std::vector<Route> session_routes(const AnalyticsParts& parts);

}  // namespace obs::serve
