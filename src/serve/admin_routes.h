// Users, roles, keys, sessions and projects of the caller's organisation: /api/v1/admin/…. Nobody gives away,
// or takes over by way of someone else's account, what they do not have themselves.
#pragma once

#include <vector>

#include "serve/auth_routes.h"
#include "serve/router.h"

namespace obs::serve {

// What `parts` names outlives the routes.
std::vector<Route> admin_routes(const AuthParts& parts);

}  // namespace obs::serve
