#include "base/durable_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace obs {
namespace {

std::unexpected<Error> system_failure(std::string_view doing, const std::filesystem::path& path) {
    const int number = errno;
    const ErrorKind kind = number == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable;
    return fail(kind, "cannot {} {}: {}", doing, path.string(), errno_text(number));
}

Result<void> write_all(int descriptor, std::string_view content, const std::filesystem::path& file) {
    while (!content.empty()) {
        const ssize_t written = ::write(descriptor, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return system_failure("write", file);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

// `parent_path()` of a relative name alone is empty, which no system call accepts.
std::filesystem::path directory_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

Descriptor::~Descriptor() {
    if (is_open()) ::close(number_);
}

int Descriptor::release() {
    return std::exchange(number_, -1);
}

std::string errno_text(int number) {
    return std::generic_category().message(number);
}

Result<void> sync_directory(const std::filesystem::path& directory) {
    const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened.is_open() || ::fsync(opened.number()) != 0) return system_failure("sync", directory);
    return {};
}

Result<void> write_durably(const std::filesystem::path& file, std::string_view content) {
    const std::filesystem::path draft = file.string() + ".new";
    {
        const Descriptor opened(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!opened.is_open()) return system_failure("create", draft);
        OBS_TRY_VOID(write_all(opened.number(), content, draft));
        if (::fsync(opened.number()) != 0) return system_failure("sync", draft);
    }
    if (::rename(draft.c_str(), file.c_str()) != 0) return system_failure("rename", draft);
    return sync_directory(directory_of(file));
}

Result<std::string> read_small(const std::filesystem::path& file, std::size_t limit) {
    const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.is_open()) return system_failure("open", file);
    std::string content(limit + 1, '\0');
    std::size_t size = 0;
    while (size < content.size()) {
        const ssize_t got = ::read(opened.number(), content.data() + size, content.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_failure("read", file);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > limit) return fail(ErrorKind::corrupt, "{} is larger than {} bytes", file.string(), limit);
    content.resize(size);
    content.resize(content.find_last_not_of(" \t\r\n") + 1);
    return content;
}

Result<void> make_directory_durably(const std::filesystem::path& directory) {
    if (::mkdir(directory.c_str(), 0700) == 0) return sync_directory(directory_of(directory));
    const int number = errno;
    std::error_code ignored;
    if (number == EEXIST && std::filesystem::is_directory(directory, ignored)) return {};
    errno = number == EEXIST ? ENOTDIR : number;
    return system_failure("create directory", directory);
}

}  // namespace obs
