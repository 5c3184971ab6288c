// What several commands are made of.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/data_directory.h"
#include "cli/commands.h"

namespace CLI {
class App;
}

namespace obs::cli {

// Exit codes.
inline constexpr int done = 0, failed = 1, misused = 2;

struct Context {
    Console console;
    const Environment& environment;
    const Serve& serve;
};

// Says what went wrong; the exit code.
int complain(const Context& context, const Error& error);

// What the flag says, else the variable; empty when neither does.
std::string first_of(const std::string& flag, const Environment& environment, std::string_view name);

struct Opened {
    DataDirectory directory;
    Catalog catalog;
};

// The data directory, and the catalog, for the commands that run beside a server: the flag, else the
// variable, else the default.
struct DataFlag {
    std::string given{}, catalog{};

    void add_to(CLI::App& command);
    std::filesystem::path path(const Environment& environment) const;
    Result<Opened> open(const Environment& environment) const;
};

}  // namespace obs::cli
