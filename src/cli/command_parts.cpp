#include "cli/command_parts.h"

#include <ostream>
#include <utility>

#include <fmt/ostream.h>
#include <CLI/CLI.hpp>

namespace obs::cli {

int complain(const Context& context, const Error& error) {
    fmt::print(context.console.err, "observatory: {}\n", error.message);
    return failed;
}

std::string first_of(const std::string& flag, const Environment& environment, std::string_view name) {
    const auto variable = environment.find(name);
    return !flag.empty() || variable == environment.end() ? flag : variable->second;
}

void DataFlag::add_to(CLI::App& command) {
    command.add_option("--data", given, "directory that holds everything [LLMOBS_DATA]")
        ->type_name("DIR")
        ->default_str(ServeSettings().data.string());
    command.add_option("--catalog", catalog, "the one that serve was started with [LLMOBS_CATALOG]")
        ->type_name("URL")
        ->default_str("a file of the data directory");
}

std::filesystem::path DataFlag::path(const Environment& environment) const {
    const std::string text = first_of(given, environment, "LLMOBS_DATA");
    return text.empty() ? ServeSettings().data : std::filesystem::path(text);
}

Result<Opened> DataFlag::open(const Environment& environment) const {
    DataDirectory directory = OBS_TRY(DataDirectory::open(path(environment), Lock::read_only));
    CatalogAddress address = OBS_TRY(
        CatalogAddress::of(first_of(catalog, environment, "LLMOBS_CATALOG"), directory.catalog_file()));
    Catalog opened = OBS_TRY(Catalog::open(std::move(address), Migrations::refuse));
    return Opened{std::move(directory), std::move(opened)};
}

}  // namespace obs::cli
