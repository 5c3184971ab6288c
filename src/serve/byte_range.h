// `Range: bytes=…` of a request for a file (RFC 9110).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace obs::serve {

struct ByteRange {
    std::uint64_t begin = 0, size = 0;
    bool operator==(const ByteRange&) const = default;
};

struct AskedRange {
    enum class Kind : std::uint8_t {
        whole,    // nothing was asked, or something that may be ignored: several ranges, other units, rubbish
        part,     // `range`
        outside,  // behind the end of the file
    };
    Kind kind = Kind::whole;
    ByteRange range{};
    bool operator==(const AskedRange&) const = default;
};

// `header` is the value of Range, empty when there is none; `size` that of the file.
AskedRange asked_range(std::string_view header, std::uint64_t size);

}  // namespace obs::serve
