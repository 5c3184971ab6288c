// `observatory export`: rows of a running server, to a file or the standard output.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "cli/command_parts.h"
#include "cli/export_client.h"

namespace obs::cli {

class ExportCommand {
public:
    void add_to(CLI::App& command);
    int run(const Context& context) const;

private:
    Result<std::string> body() const;
    Result<Secret> credential(const Environment& environment) const;
    Result<FetchedExport> fetch(const Context& context, std::ostream& out) const;
    Result<FetchedExport> fetch_file(const Context& context) const;

    DataFlag data_;
    std::string api_, token_, authorities_, output_ = "-";
    // Members of the request as they stand on the command line; the server says what is wrong with them.
    std::string table_, format_, compression_, from_, to_, project_, tree_;
    std::vector<std::string> fields_, filters_;
    std::optional<std::int64_t> limit_;
};

}  // namespace obs::cli
