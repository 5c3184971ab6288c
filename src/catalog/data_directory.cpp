#include "catalog/data_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/durable_file.h"

namespace obs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t id_length = 16;
constexpr std::size_t secret_length = 64;
constexpr std::array subdirectories{"journal", "engine", "exports", "quarantine", "secrets"};
constexpr std::array files{"format", "id", "lock", "catalog.sqlite"};

bool is_ours(std::string_view name) {
    // A fresh ext4 volume has lost+found; drafts and SQLite's side files follow the name of their file.
    return name == "lost+found" || std::ranges::find(subdirectories, name) != subdirectories.end() ||
           std::ranges::any_of(files, [&](std::string_view file) { return name.starts_with(file); });
}

// Writing into a directory of other things, a home for example, would be a mistake that is hard to undo.
Result<void> refuse_foreign(const fs::path& directory) {
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        if (!is_ours(entry->path().filename().string()))
            return fail(ErrorKind::invalid_input, "{} is no data directory: it holds {}, which is not ours",
                        directory.string(), entry->path().filename().string());
    }
    if (error) return fail(ErrorKind::unavailable, "cannot list {}: {}", directory.string(), error.message());
    return {};
}

Result<void> make_with_parents(const fs::path& directory) {
    std::error_code ignored;
    if (directory.has_parent_path() && !fs::exists(directory.parent_path(), ignored))
        OBS_TRY_VOID(make_with_parents(directory.parent_path()));
    return make_directory_durably(directory);
}

// Open file description locks: they belong to this opening of the file, so that neither another part of this
// process nor a close elsewhere can release one, and they can be asked for without being taken.
struct flock whole_file() {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::optional<int> written_process(const fs::path& lock_file) {
    const Result<std::string> text = read_small(lock_file, 32);
    int process = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), process).ec != std::errc{})
        return std::nullopt;
    return process;
}

Result<int> take_lock(const fs::path& directory) {
    const fs::path file = directory / "lock";
    Descriptor opened(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!opened.is_open())
        return fail(ErrorKind::unavailable, "cannot open {}: {}", file.string(), errno_text(errno));
    struct flock lock = whole_file();
    if (::fcntl(opened.number(), F_OFD_SETLK, &lock) != 0) {
        if (errno != EAGAIN && errno != EACCES)
            return fail(ErrorKind::unavailable, "cannot lock {}: {}", file.string(), errno_text(errno));
        const std::optional<int> process = written_process(file);
        return fail(ErrorKind::unavailable, "{} is already in use by process {}", directory.string(),
                    process ? std::to_string(*process) : "(unknown)");
    }
    const std::string process = std::to_string(::getpid()) + "\n";
    if (::ftruncate(opened.number(), 0) != 0 ||
        ::pwrite(opened.number(), process.data(), process.size(), 0) != static_cast<ssize_t>(process.size()))
        return fail(ErrorKind::unavailable, "cannot write {}: {}", file.string(), errno_text(errno));
    return opened.release();
}

Result<void> check_format(const fs::path& directory) {
    const std::string text = OBS_TRY(read_small(directory / "format", 32));
    int format = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), format);
    if (error != std::errc{} || end != text.data() + text.size() || format < 1)
        return fail(ErrorKind::corrupt, "{} does not hold a number", (directory / "format").string());
    if (format > data_directory_format)
        return fail(ErrorKind::invalid_input,
                    "{} has format {}, made by a newer program; this one knows format {} and older",
                    directory.string(), format, data_directory_format);
    return {};
}

// `format` is written last: a directory without it was never finished, and nothing was acknowledged from it.
Result<void> finish_layout(const fs::path& directory) {
    for (const char* name : subdirectories) OBS_TRY_VOID(make_directory_durably(directory / name));
    std::error_code ignored;
    if (fs::exists(directory / "format", ignored)) return check_format(directory);
    if (!fs::exists(directory / "id", ignored))
        OBS_TRY_VOID(write_durably(directory / "id", random_text(id_length) + "\n"));
    return write_durably(directory / "format", std::to_string(data_directory_format) + "\n");
}

Result<std::string> read_id(const fs::path& directory) {
    std::string id = OBS_TRY(read_small(directory / "id", 64));
    const bool plain = std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    });
    if (id.size() != id_length || !plain)
        return fail(ErrorKind::corrupt, "{} does not hold {} letters and digits", (directory / "id").string(),
                    id_length);
    return id;
}

}  // namespace

Result<DataDirectory> DataDirectory::open(fs::path path, Lock mode) {
    if (path.empty()) return fail(ErrorKind::invalid_input, "the data directory has no name");
    if (!path.has_filename()) path = path.parent_path();
    if (mode == Lock::read_only) {
        if (const Result<void> format = check_format(path); !format) {
            if (format.error().kind != ErrorKind::not_found) return std::unexpected(format.error());
            return fail(ErrorKind::not_found,
                        "there is no data directory at {}: `observatory serve` makes one", path.string());
        }
        std::string id = OBS_TRY(read_id(path));
        return DataDirectory(std::move(path), std::move(id), -1);
    }
    OBS_TRY_VOID(make_with_parents(path), "cannot make the data directory");
    std::error_code ignored;
    if (!fs::exists(path / "format", ignored)) OBS_TRY_VOID(refuse_foreign(path));
    const int lock = OBS_TRY(take_lock(path));
    DataDirectory opened(std::move(path), {}, lock);  // owns the lock before anything else can fail
    OBS_TRY_VOID(finish_layout(opened.path_));
    opened.id_ = OBS_TRY(read_id(opened.path_));
    return opened;
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), id_(std::move(other.id_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
    path_ = std::move(other.path_);
    id_ = std::move(other.id_);
    std::swap(lock_, other.lock_);
    return *this;
}

DataDirectory::~DataDirectory() {
    if (lock_ >= 0) ::close(lock_);
}

Result<Secret> DataDirectory::secret(std::string_view name) const {
    const fs::path file = secrets() / name;
    std::error_code ignored;
    if (!fs::exists(file, ignored)) {
        if (lock_ < 0)
            return fail(ErrorKind::not_found,
                        "{} has no secret yet: `observatory serve` makes it at first start", path_.string());
        OBS_TRY_VOID(write_durably(file, random_text(secret_length) + "\n"));
    }
    return Secret(OBS_TRY(read_small(file)));
}

std::optional<int> lock_holder(const fs::path& directory) {
    const fs::path file = directory / "lock";
    const Descriptor opened(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    struct flock lock = whole_file();
    if (!opened.is_open() || ::fcntl(opened.number(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return std::nullopt;
    return written_process(file).value_or(0);
}

std::string random_text(std::size_t length) {
    constexpr std::string_view alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    constexpr unsigned fair = 256 / alphabet.size() * alphabet.size();  // above it, some would be more likely
    std::string text;
    text.reserve(length);
    while (text.size() < length) {
        std::array<unsigned char, 64> bytes;
        if (::getentropy(bytes.data(), bytes.size()) != 0)
            throw std::system_error(errno, std::generic_category(), "no random numbers");
        for (const unsigned byte : bytes)
            if (byte < fair && text.size() < length) text += alphabet[byte % alphabet.size()];
    }
    return text;
}

}  // namespace obs
