// What an export may be: the words of the API.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace obs::jobs {

enum class ExportFormat : std::uint8_t { csv, json, jsonl, parquet };
enum class Compression : std::uint8_t { none, gzip, zstd };

inline constexpr std::string_view format_words[] = {"csv", "json", "jsonl", "parquet"};
inline constexpr std::string_view compression_words[] = {"none", "gzip", "zstd"};

inline std::string_view name_of(ExportFormat format) {
    return format_words[static_cast<std::size_t>(format)];
}
inline std::string_view name_of(Compression compression) {
    return compression_words[static_cast<std::size_t>(compression)];
}

// `.csv.gz`. A Parquet file is compressed within and stays one.
inline std::string extension_of(ExportFormat format, Compression compression) {
    std::string extension = ".";
    extension += name_of(format);
    if (format == ExportFormat::parquet || compression == Compression::none) return extension;
    return extension += compression == Compression::gzip ? ".gz" : ".zst";
}

}  // namespace obs::jobs
