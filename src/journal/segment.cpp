#include "journal/segment.h"

#include <fcntl.h>
#include <lz4.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/hash.h"

namespace obs {

Error system_error(std::string_view what, const std::filesystem::path& path) {
    return {ErrorKind::unavailable,
            fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(errno)),
            {}};
}

namespace {

std::uint32_t crc_of(const void* data, std::size_t size) {
    return crc32c({static_cast<const std::byte*>(data), size});
}

std::uint32_t header_crc_of(const RecordHeader& header) {
    constexpr std::size_t covered_from = offsetof(RecordHeader, payload_crc);
    return crc_of(reinterpret_cast<const char*>(&header) + covered_from, sizeof header - covered_from);
}

Result<void> fill_with_zeros(const Segment& segment) {
    const std::vector<char> zeros(std::size_t{1} << 20);
    for (std::uint64_t at = 0; at < segment.capacity;) {
        const std::size_t piece = std::min<std::uint64_t>(zeros.size(), segment.capacity - at);
        const ssize_t wrote = ::pwrite(segment.file.number(), zeros.data(), piece, static_cast<off_t>(at));
        if (wrote <= 0) return std::unexpected(system_error("fill", segment.path));
        at += static_cast<std::uint64_t>(wrote);
    }
    if (::fdatasync(segment.file.number()) != 0) return std::unexpected(system_error("sync", segment.path));
    return sync_directory(segment.path.parent_path());
}

}  // namespace

Result<Segment> create_segment(const std::filesystem::path& path, std::uint64_t capacity) {
    Segment segment{.path = path,
                    .file = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))};
    segment.capacity = capacity;
    if (segment.file.number() < 0) return std::unexpected(system_error("create", path));
    if (auto filled = fill_with_zeros(segment); !filled) {
        ::unlink(path.c_str());
        return std::unexpected(std::move(filled).error());
    }
    return segment;
}

Result<Segment> open_segment(const std::filesystem::path& path) {
    Segment segment{.path = path, .file = Descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC))};
    if (segment.file.number() < 0) return std::unexpected(system_error("open", path));
    struct stat status{};
    if (::fstat(segment.file.number(), &status) != 0) return std::unexpected(system_error("look at", path));
    segment.capacity = static_cast<std::uint64_t>(status.st_size);
    SegmentHeader header;
    if (::pread(segment.file.number(), &header, sizeof header, 0) != sizeof header) return segment;
    if (header.magic != SegmentHeader::right_magic ||
        header.crc != crc_of(&header, offsetof(SegmentHeader, crc)))
        return segment;
    if (header.version != 1)
        return fail(ErrorKind::corrupt, "{} is of version {}, which this program does not know",
                    path.string(), header.version);
    segment.epoch = header.epoch;
    segment.first = header.first_sequence;
    return segment;
}

std::string encode_header(const Segment& segment) {
    SegmentHeader header;
    header.epoch = segment.epoch;
    header.first_sequence = segment.first;
    header.crc = crc_of(&header, offsetof(SegmentHeader, crc));
    return {reinterpret_cast<const char*>(&header), sizeof header};
}

namespace {

class Mapping {
public:
    explicit Mapping(const Segment& segment) : size_(segment.capacity) {
        void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, segment.file.number(), 0);
        if (mapped != MAP_FAILED) data_ = static_cast<const char*>(mapped);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() {
        if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
    }
    std::string_view bytes() const {
        return data_ == nullptr ? std::string_view() : std::string_view(data_, size_);
    }

private:
    std::size_t size_;
    const char* data_ = nullptr;
};

// The header of a whole and undamaged record of this epoch at the front of `bytes`.
std::optional<RecordHeader> record_at(std::string_view bytes, std::uint64_t epoch) {
    RecordHeader header;
    if (bytes.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != RecordHeader::right_magic || header.epoch != epoch ||
        header.header_crc != header_crc_of(header) || header.stored_bytes > bytes.size() - sizeof header)
        return std::nullopt;
    return header;
}

bool payload_is_whole(const RecordHeader& header, std::string_view bytes) {
    return header.payload_crc == crc_of(bytes.data() + sizeof header, header.stored_bytes);
}

// Whether a record behind the damage knows that `missing` had been acknowledged.
void look_behind_damage(std::string_view bytes, std::uint64_t epoch, Sequence missing, Scan& scan) {
    for (std::size_t at = scan.end; at + sizeof(RecordHeader) <= bytes.size(); ++at) {
        const void* next = std::memchr(bytes.data() + at, static_cast<char>(RecordHeader::right_magic & 0xff),
                                       bytes.size() - at);
        if (next == nullptr) return;
        at = static_cast<std::size_t>(static_cast<const char*>(next) - bytes.data());
        const auto header = record_at(bytes.substr(at), epoch);
        if (!header) continue;
        scan.torn = at + sizeof *header + header->stored_bytes - scan.end;
        if (header->durable >= missing) scan.acknowledged_damage = true;
    }
}

}  // namespace

Result<Scan> scan_segment(const Segment& segment, const VisitRecord& visit) {
    const Mapping mapping(segment);
    if (mapping.bytes().empty()) return std::unexpected(system_error("map", segment.path));
    Scan scan{.last = segment.first - 1, .end = sizeof(SegmentHeader)};
    for (;;) {
        const std::string_view rest = mapping.bytes().substr(scan.end);
        const auto header = record_at(rest, segment.epoch);
        if (!header || header->sequence != scan.last + 1 || !payload_is_whole(*header, rest)) break;
        OBS_TRY_VOID(visit(*header, rest.substr(sizeof *header, header->stored_bytes)));
        scan.last = header->sequence;
        scan.end += sizeof *header + header->stored_bytes;
    }
    look_behind_damage(mapping.bytes(), segment.epoch, scan.last + 1, scan);
    return scan;
}

Result<std::string> unpack(const RecordHeader& header, std::string_view stored, std::size_t most) {
    if (header.stored_bytes == header.raw_bytes) return std::string(stored.substr(0, most));
    std::string raw(std::min<std::size_t>(header.raw_bytes, most), '\0');
    const int size = static_cast<int>(raw.size());
    const int got =
        LZ4_decompress_safe_partial(stored.data(), raw.data(), static_cast<int>(stored.size()), size, size);
    if (got < 0 || static_cast<std::size_t>(got) != raw.size())
        return fail(ErrorKind::corrupt, "record {} cannot be decompressed", header.sequence);
    return raw;
}

}  // namespace obs
