// Small files that must survive a power cut: whole and new, or not there.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace obs {

// Owns a file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();
    int number() const { return number_; }
    bool is_open() const { return number_ >= 0; }
    // The caller owns it from now on.
    int release();

private:
    int number_ = -1;
};

// Replaces the file by one with this content, mode 0600, synced together with its directory. Fails with
// `unavailable`.
Result<void> write_durably(const std::filesystem::path& file, std::string_view content);
// At most `limit` bytes, without white space at the end. Fails with `not_found`, `unavailable` or `corrupt`
// (larger).
Result<std::string> read_small(const std::filesystem::path& file, std::size_t limit = 4096);
// What was made, renamed or removed in this directory stays so. Fails as write_durably().
Result<void> sync_directory(const std::filesystem::path& directory);
// Makes one directory with mode 0700 and syncs its parent; one that exists stays as it is.
Result<void> make_directory_durably(const std::filesystem::path& directory);

// `No space left on device`: what errno says, for messages.
std::string errno_text(int number);

}  // namespace obs
