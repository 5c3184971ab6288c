// `observatory doctor`: what is wrong with this machine, data directory or configuration, in plain words.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/machine.h"
#include "cli/settings.h"

namespace obs::cli {

enum class Health { good, warning, broken };

struct Finding {
    Health health;
    std::string what;   // `data directory: in use by process 17`
    std::string fix{};  // what to do about it; empty when good
};

// The machine as doctor sees it; tests pass their own.
struct Surroundings {
    bool sse42;
    std::uint64_t open_files;
    std::uint64_t memory;
    UnixNanos now;
    std::filesystem::path executable;
    std::function<Result<Disk>(const std::filesystem::path&)> disk;
};
Surroundings this_machine();

// Changes nothing. Findings in the order machine, configuration, data directory, engine.
std::vector<Finding> examine(const Loaded& loaded, const Environment& environment,
                             const Surroundings& surroundings);

}  // namespace obs::cli
