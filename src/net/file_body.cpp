#include "net/file_body.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace obs::net {

Result<FileBody> FileBody::open(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable, "cannot open {}: {}",
                    path.string(), std::generic_category().message(errno));
    const std::shared_ptr<const int> file(new int(descriptor), [](const int* open) {
        ::close(*open);
        delete open;
    });
    struct stat facts{};
    if (::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode))
        return fail(ErrorKind::unavailable, "{} is no file", path.string());
    return FileBody(file, 0, static_cast<std::uint64_t>(facts.st_size));
}

FileBody FileBody::part(std::uint64_t begin, std::uint64_t size) const {
    return {file_, begin_ + begin, size};
}

std::size_t FileBody::read(std::uint64_t at, std::span<char> into) const {
    const std::size_t wanted = std::min<std::uint64_t>(into.size(), size_ - at);
    const ssize_t got = ::pread(*file_, into.data(), wanted, static_cast<off_t>(begin_ + at));
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

}  // namespace obs::net
