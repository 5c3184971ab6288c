// The fields of the API as columns of a Parquet file.
#pragma once

#include <vector>

#include "base/result.h"
#include "query/row_json.h"
#include "store/parquet.h"

namespace obs::jobs {

// In the order of the selection. `invalid_input` for names that a column cannot have.
Result<std::vector<ParquetColumn>> parquet_columns(const query::Selection& selection);

}  // namespace obs::jobs
