// A question as the statement that writes its rows into a Parquet file.
#pragma once

#include "model/question.h"
#include "store/parquet.h"
#include "store/sql/statement.h"

namespace obs {

// The question must have been checked. Rows of one project after the other, each newest first. Text of users
// is bound, but for names of columns, which is_parquet_name must have allowed.
Statement parquet_statement(const RowQuestion& question, const ParquetFile& file);

}  // namespace obs
