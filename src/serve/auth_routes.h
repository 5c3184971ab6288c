// Signing in and out: /api/v1/auth/… (contract 1.1 row 16), and the projects that one sees.
#pragma once

#include <functional>
#include <vector>

#include "catalog/authority.h"
#include "catalog/catalog.h"
#include "catalog/sign_in.h"
#include "serve/router.h"

namespace obs::serve {

// What the routes of users, keys and sign-ins work on.
struct AuthParts {
    Catalog& catalog;
    Authority& authority;
    SignIn& sign_in;
    // After settings of a project were changed, before that is answered.
    std::function<void()> settings_changed{};
    // Lifetimes of the server: no project keeps anything longer.
    ProjectSettings longest{};
};

// What `parts` names outlives the routes.
std::vector<Route> auth_routes(const AuthParts& parts);

}  // namespace obs::serve
