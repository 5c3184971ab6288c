// The embedded engine as a transport: one connection that writes, some that read, one for files, one that
// cancels.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/clickhouse/engine.h"
#include "store/clickhouse/transport.h"

namespace obs {

struct EmbeddedOptions {
    std::string database = "observatory";  // [a-z0-9_]; made when missing
    int readers = 4;
    int threads_per_question = 2;
    std::uint64_t memory_per_question = 0;  // bytes; 0 = no limit of its own
    std::uint64_t memory_per_file = 256 << 20;
};

Result<std::unique_ptr<Transport>> embedded_transport(std::shared_ptr<Engine> engine,
                                                      EmbeddedOptions options);

}  // namespace obs
