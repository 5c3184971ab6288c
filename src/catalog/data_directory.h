// Everything one observatory keeps lies under one directory. This says what lies where, which layout version
// it has, and that at most one process writes to it (decision 2).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace obs {

// The layout this program writes; a directory with a higher number was made by a newer program.
inline constexpr int data_directory_format = 1;

enum class Lock {
    take,       // creates what is missing and keeps every other writer out while the object lives
    read_only,  // changes nothing; works beside a running server
};

class DataDirectory {
public:
    // Lock::take makes the directory (mode 0700) and what belongs into it, durably. Fails with
    //   `not_found`      read_only, and there is no such directory;
    //   `invalid_input`  it was made by a newer program, or it holds files that are not ours;
    //   `unavailable`    another process holds the lock (the message names it), or the disk refuses.
    static Result<DataDirectory> open(std::filesystem::path path, Lock lock);

    DataDirectory(DataDirectory&& other) noexcept;
    DataDirectory& operator=(DataDirectory&& other) noexcept;
    ~DataDirectory();  // gives the lock back

    const std::filesystem::path& path() const { return path_; }
    // 16 random characters of [A-Za-z0-9], written once: part of every insert token (decision 7).
    const std::string& id() const { return id_; }

    std::filesystem::path journal() const { return path_ / "journal"; }
    std::filesystem::path engine() const { return path_ / "engine"; }
    std::filesystem::path exports() const { return path_ / "exports"; }
    std::filesystem::path quarantine() const { return path_ / "quarantine"; }
    std::filesystem::path catalog_file() const { return path_ / "catalog.sqlite"; }
    std::filesystem::path secrets() const { return path_ / "secrets"; }

    // The secret of that name; Lock::take makes a missing one of 64 random characters (file mode 0600),
    // read_only fails with `not_found`. Names are of [a-z_].
    Result<Secret> secret(std::string_view name) const;

private:
    DataDirectory(std::filesystem::path path, std::string id, int lock)
        : path_(std::move(path)), id_(std::move(id)), lock_(lock) {}

    std::filesystem::path path_;
    std::string id_;
    int lock_ = -1;  // -1: read only
};

// The process that holds the lock of the directory; nothing if none does or there is no such directory.
std::optional<int> lock_holder(const std::filesystem::path& directory);

// `length` characters of [A-Za-z0-9] from the system's random source.
std::string random_text(std::size_t length);

}  // namespace obs
