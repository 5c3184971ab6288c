// Batches in ClickHouse's Native format: the bytes that an INSERT takes and a SELECT gives, from the embedded
// engine and from a server alike.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "model/batches.h"
#include "model/question.h"

namespace obs {

// A column as ClickHouse keeps it. Every column of the schema is one, but a map column is two: `<name>` with
// keys and values, and `<name>_types` with the AttributeType of each entry (empty when all are text).
struct NativeColumn {
    std::string name;
    std::string type;
    const ColumnInfo* column;
};
const std::vector<NativeColumn>& native_columns(TableId table);

// Appends all rows as one block. Columns that nobody put are left out: they take their default.
void append_native(const AnyBatch& rows, Buffer& out);

// Appends the rows of every block in `bytes` to `batch`; the batch's own columns that no block names keep
// their default. Fails with `corrupt` when the bytes are cut, or name a column that the batch has not or of
// another type.
Result<void> read_native(std::string_view bytes, AnyBatch& batch);

// The same for figures: appends rows to `table`, whose column names are set by the first block. Columns are
// of the types Int64, UInt64, Float64, String and Array(String), the first four also Nullable.
Result<void> read_native(std::string_view bytes, Table& table);

}  // namespace obs
