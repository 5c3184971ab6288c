// Signing in and out: /api/v1/auth/… (contract 1.1 row 16), and the projects that one sees.
#pragma once

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
};

// What `parts` names outlives the routes.
std::vector<Route> auth_routes(const AuthParts& parts);

}  // namespace obs::serve
