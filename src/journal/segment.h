// One file of the journal: a header, then records. Used again and again under other epochs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/durable_file.h"
#include "base/result.h"
#include "journal/journal.h"

namespace obs {

// Both headers lie on the disk as they are here, little-endian.
struct SegmentHeader {
    static constexpr std::uint64_t right_magic = 0x314C4E524A53424FULL;  // "OBSJRNL1"
    std::uint64_t magic = right_magic;
    std::uint32_t version = 1;
    std::uint32_t reserved = 0;
    std::uint64_t epoch = 0;           // another one at every use: old records in the file do not count
    std::uint64_t first_sequence = 0;  // of the first record that is written to it
    std::uint32_t unused = 0;
    std::uint32_t crc = 0;  // of everything before
};
static_assert(sizeof(SegmentHeader) == 40);

struct RecordHeader {
    static constexpr std::uint32_t right_magic = 0x43455221;
    std::uint32_t magic = right_magic;
    std::uint32_t header_crc = 0;    // of everything behind this field
    std::uint32_t payload_crc = 0;   // of the stored bytes
    std::uint32_t stored_bytes = 0;  // LZ4 when fewer than raw_bytes
    std::uint32_t raw_bytes = 0;
    std::uint32_t kind = 0;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::uint64_t durable = 0;  // everything up to here had been acknowledged when this was written
};
static_assert(sizeof(RecordHeader) == 48);

struct Segment {
    std::filesystem::path path;
    Descriptor file;
    std::uint64_t capacity = 0;  // bytes of the file
    std::uint64_t epoch = 0;     // 0: not in use
    Sequence first = 0;          // of its records; in use only
    Sequence last = 0;           // first - 1: none yet
    std::uint64_t used = 0;      // bytes written
};

// A file of that size, filled with zeros and durable.
Result<Segment> create_segment(const std::filesystem::path& path, std::uint64_t capacity);
// Opens a file and reads its header; epoch stays 0 when it has no valid one.
Result<Segment> open_segment(const std::filesystem::path& path);
std::string encode_header(const Segment& segment);

// Reads the records of a segment, in order, up to the first that is not there. `visit` gets the stored bytes.
using VisitRecord = std::function<Result<void>(const RecordHeader&, std::string_view stored)>;
struct Scan {
    Sequence last = 0;                 // first - 1 when there is none
    std::uint64_t end = 0;             // offset behind the last good record
    std::uint64_t torn = 0;            // bytes of records behind it that cannot be read
    bool acknowledged_damage = false;  // a later record says that the missing one had been acknowledged
};
Result<Scan> scan_segment(const Segment& segment, const VisitRecord& visit);

// The payload, or its first `most` bytes.
Result<std::string> unpack(const RecordHeader& header, std::string_view stored, std::size_t most);

Error system_error(std::string_view what, const std::filesystem::path& path);

}  // namespace obs
