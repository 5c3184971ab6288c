// The command line of the program: `observatory <command>`.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "cli/settings.h"

namespace obs::cli {

struct Console {
    std::ostream& out;
    std::ostream& err;
};

// How `serve` is started; the program passes run_serve.
using Serve = std::function<int(const ServeSettings&)>;

// Runs one command. Exit codes: 0 done, 1 it failed or `doctor` found something broken, 2 the command line or
// the configuration is wrong.
int run(int argc, const char* const* argv, Console console, const Environment& environment,
        const Serve& serve);

// The program's own version: `0.1.0`.
std::string_view program_version();

}  // namespace obs::cli
