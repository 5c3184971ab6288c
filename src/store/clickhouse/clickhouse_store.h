// Rows in ClickHouse, wherever the transport reaches one. What it costs and why its tables look as they do:
// docs/store.md.
#pragma once

#include <memory>

#include "store/clickhouse/transport.h"
#include "store/span_store.h"

namespace obs {

std::unique_ptr<SpanStore> clickhouse_store(std::unique_ptr<Transport> transport);

}  // namespace obs
