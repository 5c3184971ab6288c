// `observatory serve`: builds the parts, connects them, runs until a signal and stops them in reverse order.
#pragma once

#include "cli/settings.h"

namespace obs::cli {

// Returns the exit code of the process.
int run_serve(const ServeSettings& settings);

}  // namespace obs::cli
