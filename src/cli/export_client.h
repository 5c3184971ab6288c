// An export of a running server, fetched over its API: asked for, waited for, and taken as it comes.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace obs::cli {

struct Server {
    std::string api;          // `http://localhost:8080`
    Secret token;             // bearer token or key
    std::string authorities;  // file of certificates to trust; empty: the system's
};

struct FetchedExport {
    std::int64_t rows = 0;
    std::uint64_t bytes = 0;
};

// Takes a piece of the file; an error ends it.
using ExportSink = std::function<Result<void>(std::string_view)>;

// `body` is that of POST /api/v1/exports. The job is cancelled when `stop` asks for it, which is `cancelled`.
// `invalid_input` is the server's refusal, in its words; `unavailable` when there is no server or it is cut
// off.
Result<FetchedExport> fetch_export(const Server& server, const std::string& body, const ExportSink& sink,
                                   const std::stop_token& stop);

}  // namespace obs::cli
