#include "store/parquet.h"

#include <algorithm>

#include "store/span_store.h"

namespace obs {

bool is_parquet_name(std::string_view name) {
    return !name.empty() && name.size() <= ParquetColumn::longest_name &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.' || c == '-';
           });
}

Result<void> SpanStore::write_parquet(const RowQuestion&, const ParquetFile&,
                                      const std::function<bool(std::uint64_t)>&, const Cancel&) {
    return fail(ErrorKind::invalid_input,
                "Parquet is written by the embedded engine, which this store does without; ask for csv, json "
                "or jsonl");
}

}  // namespace obs
