// A part of a file as the body of an answer: read piece by piece while it is sent, never held as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"

namespace obs::net {

// Copies share the open file, so that it can be sent to its end after somebody removed it.
class FileBody {
public:
    // The whole file. Fails with `not_found` or `unavailable`.
    static Result<FileBody> open(const std::filesystem::path& path);

    std::uint64_t size() const { return size_; }
    // The bytes from `begin` on, `size` of them; both within this one.
    FileBody part(std::uint64_t begin, std::uint64_t size) const;
    // Up to `into.size()` bytes that stand at `at`; 0 when they cannot be read. Waits for the disk.
    std::size_t read(std::uint64_t at, std::span<char> into) const;

private:
    FileBody(std::shared_ptr<const int> file, std::uint64_t begin, std::uint64_t size)
        : file_(std::move(file)), begin_(begin), size_(size) {}

    std::shared_ptr<const int> file_;
    std::uint64_t begin_, size_;
};

}  // namespace obs::net
