// Content codings of HTTP and gRPC. Thread-safe: contexts are kept per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/buffer.h"
#include "base/byte_budget.h"
#include "base/result.h"

namespace obs::net {

enum class Coding : std::uint8_t { identity, gzip, deflate, zstd };
constexpr std::string_view known_codings = "identity, gzip, deflate, zstd";

// Any case, blanks around it are fine; nothing for a coding we do not know and for lists of several.
std::optional<Coding> coding_named(std::string_view name);

// What the content claims to be when decompressed, if it claims anything. A hint: it may be a lie.
std::optional<std::size_t> claimed_size(Coding coding, std::string_view content);

// gzip of several members, deflate with or without the zlib wrapper, zstd of several frames, with or without
// sizes. Fails with `invalid_input` (broken, cut off, bytes behind the end), `too_large` (over `limit`) or
// `overloaded`
// (`charge` found no room). Memory grows with what really comes out, never with what was claimed.
Result<Buffer> decompress(Coding coding, std::string_view content, std::size_t limit,
                          ByteBudget::Token& charge);

}  // namespace obs::net
