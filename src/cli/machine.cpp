#include "cli/machine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace obs::cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> number_in(const fs::path& file) {
    std::ifstream stream(file);
    std::uint64_t number = 0;
    return stream >> number ? std::optional(number) : std::nullopt;
}

std::uint64_t physical_memory() {
    const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
    return static_cast<std::uint64_t>(std::max(pages, 0L)) * static_cast<std::uint64_t>(std::max(size, 0L));
}

// A limit holds for all groups below it, so every parent is asked. `max` (v2) is no number and so no limit.
void lower_to_group(std::uint64_t& limit, fs::path group, const fs::path& root, std::string_view file) {
    while (group.string().size() >= root.string().size()) {
        if (const auto own = number_in(group / file)) limit = std::min(limit, *own);
        if (group == group.parent_path()) return;
        group = group.parent_path();
    }
}

struct FileSystem {
    long magic;
    std::string_view name;
    bool network, volatile_memory;
};
// Numbers of statfs(2).
constexpr std::array file_systems{
    FileSystem{0xEF53, "ext4", false, false},        FileSystem{0x58465342, "xfs", false, false},
    FileSystem{0x9123683E, "btrfs", false, false},   FileSystem{0x2FC12FC1, "zfs", false, false},
    FileSystem{0x794C7630, "overlay", false, false}, FileSystem{0xF2F52010, "f2fs", false, false},
    FileSystem{0x01021994, "tmpfs", false, true},    FileSystem{0x858458F6, "ramfs", false, true},
    FileSystem{0x6969, "nfs", true, false},          FileSystem{0xFF534D42, "cifs", true, false},
    FileSystem{0xFE534D42, "smb2", true, false},     FileSystem{0x01021997, "9p", true, false},
    FileSystem{0x65735546, "fuse", true, false},     FileSystem{0x00C36400, "ceph", true, false}};

}  // namespace

std::uint64_t machine_memory() {
    std::uint64_t limit = physical_memory();
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string kinds = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (kinds.empty()) lower_to_group(limit, "/sys/fs/cgroup" + group, "/sys/fs/cgroup", "memory.max");
        if (kinds == "memory")
            lower_to_group(limit, "/sys/fs/cgroup/memory" + group, "/sys/fs/cgroup/memory",
                           "memory.limit_in_bytes");
    }
    return limit;
}

Result<Disk> disk_of(const fs::path& path) {
    std::error_code error;
    fs::path existing = fs::absolute(path, error);
    while (!fs::exists(existing, error) && existing != existing.parent_path())
        existing = existing.parent_path();
    struct statvfs space{};
    struct statfs kind{};
    if (::statvfs(existing.c_str(), &space) != 0 || ::statfs(existing.c_str(), &kind) != 0)
        return fail(ErrorKind::unavailable, "cannot ask for the disk of {}: {}", existing.string(),
                    std::generic_category().message(errno));
    Disk disk{.size = space.f_blocks * space.f_frsize,
              .available = space.f_bavail * space.f_frsize,
              .type = "unknown"};
    for (const FileSystem& known : file_systems) {
        if (known.magic != static_cast<long>(kind.f_type)) continue;
        disk.type = known.name;
        disk.network = known.network;
        disk.volatile_memory = known.volatile_memory;
    }
    return disk;
}

std::uint64_t raise_file_limit() {
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

bool cpu_has_sse42() {
    return __builtin_cpu_supports("sse4.2") != 0;
}

fs::path executable_path() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error);
}

}  // namespace obs::cli
