#include "jobs/export_file.h"

#include <cerrno>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/durable_file.h"

namespace obs::jobs {

namespace {

// Written and synced so many at a time: one sync of everything at the end would hold up the journal, which
// waits for the same disk.
constexpr std::size_t piece = 4 << 20;
constexpr int gzip_level = 4, zstd_level = 3;
constexpr int gzip_window = 15 + 16;  // zlib's word for a gzip header

class Encoder {
public:
    virtual ~Encoder() = default;
    // Appends what the bytes become; with `last`, all that is left too.
    virtual void encode(std::string_view bytes, bool last, std::string& out) = 0;
};

class Plain final : public Encoder {
    void encode(std::string_view bytes, bool, std::string& out) override { out += bytes; }
};

// `turn(room)` encodes into a buffer and says how much came; again while it was full.
template <class Turn>
void drain(std::string& out, Turn turn) {
    std::vector<char> buffer(64 << 10);
    for (;;) {
        const auto [size, more] = turn(std::span(buffer));
        out.append(buffer.data(), size);
        if (!more) return;
    }
}

class Gzip final : public Encoder {
public:
    Gzip() {
        if (deflateInit2(&stream_, gzip_level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    ~Gzip() override { deflateEnd(&stream_); }
    Gzip(const Gzip&) = delete;
    Gzip& operator=(const Gzip&) = delete;

    void encode(std::string_view bytes, bool last, std::string& out) override {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
        drain(out, [&](std::span<char> room) {
            stream_.next_out = reinterpret_cast<Bytef*>(room.data());
            stream_.avail_out = static_cast<uInt>(room.size());
            deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
            return std::pair(room.size() - stream_.avail_out, stream_.avail_out == 0);
        });
    }

private:
    z_stream stream_{};
};

class Zstd final : public Encoder {
public:
    Zstd() : context_(ZSTD_createCCtx()) {
        if (context_ == nullptr) throw std::bad_alloc();
        ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, zstd_level);
        ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
    }
    ~Zstd() override { ZSTD_freeCCtx(context_); }
    Zstd(const Zstd&) = delete;
    Zstd& operator=(const Zstd&) = delete;

    void encode(std::string_view bytes, bool last, std::string& out) override {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        drain(out, [&](std::span<char> room) {
            ZSTD_outBuffer made{room.data(), room.size(), 0};
            const std::size_t left =
                ZSTD_compressStream2(context_, &made, &in, last ? ZSTD_e_end : ZSTD_e_continue);
            return std::pair(made.pos, last ? left != 0 : in.pos < in.size || made.pos == made.size);
        });
    }

private:
    ZSTD_CCtx* context_;
};

std::unique_ptr<Encoder> encoder_of(Compression compression) {
    switch (compression) {
        case Compression::gzip: return std::make_unique<Gzip>();
        case Compression::zstd: return std::make_unique<Zstd>();
        case Compression::none: break;
    }
    return std::make_unique<Plain>();
}

std::unexpected<Error> disk_error(int number) {
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return fail(ErrorKind::overloaded, "there is no room for the file: {}", errno_text(number));
    return fail(ErrorKind::unavailable, "the file cannot be written: {}", errno_text(number));
}

}  // namespace

Result<void> check_room(const std::filesystem::path& directory, std::uint64_t size, const ExportRoom& room) {
    if (room.taken + size > room.most)
        return fail(ErrorKind::overloaded,
                    "exports may take {} bytes in all; narrow it, or wait until others have expired",
                    room.most);
    struct statvfs disk{};
    if (::statvfs(directory.c_str(), &disk) != 0) return disk_error(errno);
    if (std::uint64_t{disk.f_bavail} * disk.f_frsize < room.keep_free)
        return fail(ErrorKind::overloaded, "the disk is nearly full: {} bytes of it are not for exports",
                    room.keep_free);
    return {};
}

struct ExportFile::State {
    std::filesystem::path directory;
    Descriptor file;
    std::unique_ptr<Encoder> encoder;
    ExportRoom room;
    std::string waiting{};
    std::uint64_t written = 0;

    Result<void> flush() {
        OBS_TRY_VOID(check_room(directory, written + waiting.size(), room));
        std::string_view left = waiting;
        while (!left.empty()) {
            const ssize_t wrote = ::write(file.number(), left.data(), left.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return disk_error(errno);
            left.remove_prefix(static_cast<std::size_t>(wrote));
        }
        if (::fdatasync(file.number()) != 0) return disk_error(errno);
        written += waiting.size();
        waiting.clear();
        return {};
    }
};

ExportFile::ExportFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
ExportFile::ExportFile(ExportFile&&) noexcept = default;
ExportFile& ExportFile::operator=(ExportFile&&) noexcept = default;
ExportFile::~ExportFile() = default;

Result<ExportFile> ExportFile::create(const std::filesystem::path& path, Compression compression,
                                      ExportRoom room) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return disk_error(errno);
    return ExportFile(std::unique_ptr<State>(
        new State{path.parent_path(), Descriptor(file), encoder_of(compression), room}));
}

Result<void> ExportFile::write(std::string_view bytes) {
    state_->encoder->encode(bytes, false, state_->waiting);
    return state_->waiting.size() < piece ? Result<void>() : state_->flush();
}

Result<std::uint64_t> ExportFile::finish() {
    state_->encoder->encode({}, true, state_->waiting);
    OBS_TRY_VOID(state_->flush());
    return state_->written;
}

Result<std::uint64_t> sync_file(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return disk_error(errno);
    if (::fdatasync(file.number()) != 0) return disk_error(errno);
    struct stat facts{};
    if (::fstat(file.number(), &facts) != 0) return disk_error(errno);
    return static_cast<std::uint64_t>(facts.st_size);
}

Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return disk_error(errno);
    const Descriptor directory(::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.is_open() || ::fsync(directory.number()) != 0) return disk_error(errno);
    return {};
}

}  // namespace obs::jobs
