// What this machine offers: measured once at start and by `doctor`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace obs::cli {

// Bytes of memory this process may use: the smallest limit of its cgroups (v1 or v2), else the machine's.
std::uint64_t machine_memory();

struct Disk {
    std::uint64_t size = 0;
    std::uint64_t available = 0;   // to this user
    std::string type;              // `ext4`, `nfs`, `tmpfs`, …; `unknown` otherwise
    bool network = false;          // locks and fsync of such disks are not to be trusted
    bool volatile_memory = false;  // contents are gone after a restart
};
// Of the file system that holds `path`, or would hold it: the nearest parent that exists is asked.
Result<Disk> disk_of(const std::filesystem::path& path);

// Open files this process may have, after raising the soft limit to the hard one.
std::uint64_t raise_file_limit();

bool cpu_has_sse42();
std::filesystem::path executable_path();

}  // namespace obs::cli
