// Views that people saved: /api/v1/views.
#pragma once

#include <vector>

#include "catalog/catalog.h"
#include "serve/router.h"

namespace obs::serve {

// The catalog outlives the routes.
std::vector<Route> view_routes(Catalog& catalog);

}  // namespace obs::serve
