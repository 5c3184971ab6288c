// The file of an export while it is written: compressed as it goes, on disk before it is whole, and never so
// big that others have no room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "jobs/export_format.h"

namespace obs::jobs {

// How much room exports may take. Bytes.
struct ExportRoom {
    std::uint64_t most = std::uint64_t{10} << 30;      // of all files together
    std::uint64_t taken = 0;                           // by the files that there are
    std::uint64_t keep_free = std::uint64_t{1} << 30;  // of the disk, for everything else
};

// Fails with `overloaded` and a reason for who asked when a file of this size in this directory leaves too
// little.
Result<void> check_room(const std::filesystem::path& directory, std::uint64_t size, const ExportRoom& room);

// Owned by one thread. Whatever is left of it when it goes without finish() is of no use.
class ExportFile {
public:
    // Replaces what is there. Fails with `unavailable`.
    static Result<ExportFile> create(const std::filesystem::path& path, Compression compression,
                                     ExportRoom room);
    ExportFile(ExportFile&&) noexcept;
    ExportFile& operator=(ExportFile&&) noexcept;
    ~ExportFile();

    // `overloaded` when there is no room, with a reason; `unavailable` when the disk refuses otherwise.
    Result<void> write(std::string_view bytes);
    // The last bytes, synced. How big the file is.
    Result<std::uint64_t> finish();

private:
    struct State;
    explicit ExportFile(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Syncs a file that somebody else wrote. How big it is.
Result<std::uint64_t> sync_file(const std::filesystem::path& path);
// Gives the file its name for good: `to` is whole and on disk, or as it was.
Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace obs::jobs
