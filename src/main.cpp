#include <iostream>

#include "cli/commands.h"
#include "cli/serve.h"

int main(int argc, char** argv) {
    return obs::cli::run(argc, argv, {std::cout, std::cerr}, obs::cli::process_environment(),
                         obs::cli::run_serve);
}
