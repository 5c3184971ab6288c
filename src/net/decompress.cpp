#include "net/decompress.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

namespace obs::net {
namespace {

// 8 MiB, the usual limit between strangers: it bounds what a decoder keeps.
constexpr int zstd_window_log = 23;
// No deflate stream grows more than 1032 times.
constexpr std::size_t deflate_ratio = 1032;
constexpr std::size_t first_growth = 16 << 10;

// Makes room for more output: doubles, up to the limit. The budget is asked first.
Result<void> grow(Buffer& out, std::size_t wanted, std::size_t limit, ByteBudget::Token& charge) {
    const std::size_t capacity = std::min(limit, std::max({wanted, out.capacity() * 2, first_growth}));
    if (capacity <= out.capacity())
        return fail(ErrorKind::too_large, "more than {} bytes when decompressed", limit);
    if (!charge.grow_to(capacity)) return fail(ErrorKind::overloaded, "no room for {} bytes", capacity);
    out.reserve(capacity);
    return {};
}

struct FreeDecompressor {
    void operator()(libdeflate_decompressor* context) const noexcept {
        libdeflate_free_decompressor(context);
    }
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

libdeflate_decompressor* deflate_context() {
    thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> context{
        libdeflate_alloc_decompressor()};
    if (!context) throw std::bad_alloc();
    return context.get();
}

ZSTD_DCtx* zstd_context() {
    thread_local const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context{ZSTD_createDCtx()};
    if (!context) throw std::bad_alloc();
    ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
    ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, zstd_window_log);
    return context.get();
}

// The fast way for the usual case, one member whose trailer tells its size; nothing when that is not what it
// is.
Result<std::optional<Buffer>> one_gzip_member(std::string_view content, std::size_t limit,
                                              ByteBudget::Token& charge) {
    const std::size_t claimed = claimed_size(Coding::gzip, content).value_or(0);
    if (claimed > limit || claimed / deflate_ratio > content.size()) return std::nullopt;
    Buffer out;
    // One byte more than claimed, so that an empty output has a buffer too.
    if (!charge.grow_to(claimed + 1)) return fail(ErrorKind::overloaded, "no room for {} bytes", claimed);
    out.reserve(claimed + 1);
    std::size_t read = 0, written = 0;
    const libdeflate_result result = libdeflate_gzip_decompress_ex(
        deflate_context(), content.data(), content.size(), out.data(), claimed, &read, &written);
    if (result != LIBDEFLATE_SUCCESS || read != content.size()) return std::nullopt;
    out.resize(written);
    return out;
}

class Inflate {
public:
    explicit Inflate(int window_bits) {
        if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    }
    ~Inflate() { inflateEnd(&stream_); }
    Inflate(const Inflate&) = delete;
    Inflate& operator=(const Inflate&) = delete;

    // Appends one member to `out` and takes it off the front of `content`.
    Result<void> member(std::string_view& content, Buffer& out, std::size_t limit,
                        ByteBudget::Token& charge) {
        inflateReset(&stream_);
        for (;;) {
            if (out.size() == out.capacity()) {
                if (out.size() == limit) return at_the_limit(content, limit);
                OBS_TRY_VOID(grow(out, content.size() * 4, limit, charge));
            }
            const int result = step(content, out.data() + out.size(), out.capacity() - out.size());
            out.resize(out.size() + written_);
            if (result == Z_STREAM_END) return {};
            if (result != Z_OK && result != Z_BUF_ERROR) return broken();
            if (written_ == 0 && content.empty())
                return fail(ErrorKind::invalid_input, "the compressed data is cut off");
        }
    }

private:
    // The output is full: fine if nothing but the end is missing.
    Result<void> at_the_limit(std::string_view& content, std::size_t limit) {
        char extra = 0;
        const int result = step(content, &extra, 1);
        if (written_ > 0) return fail(ErrorKind::too_large, "more than {} bytes when decompressed", limit);
        if (result == Z_STREAM_END) return {};
        if (content.empty()) return fail(ErrorKind::invalid_input, "the compressed data is cut off");
        return broken();
    }
    int step(std::string_view& content, char* out, std::size_t room) {
        const auto given = static_cast<uInt>(std::min<std::size_t>(content.size(), 1U << 30));
        const auto free = static_cast<uInt>(std::min<std::size_t>(room, 1U << 30));
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
        stream_.avail_in = given;
        stream_.next_out = reinterpret_cast<Bytef*>(out);
        stream_.avail_out = free;
        const int result = inflate(&stream_, Z_NO_FLUSH);
        content.remove_prefix(given - stream_.avail_in);
        written_ = free - stream_.avail_out;
        return result;
    }
    std::unexpected<Error> broken() const {
        return fail(ErrorKind::invalid_input, "the compressed data is broken: {}",
                    stream_.msg != nullptr ? stream_.msg : "not what its coding says");
    }

    z_stream stream_{};
    std::size_t written_ = 0;
};

bool starts_gzip(std::string_view content) {
    return content.starts_with("\x1f\x8b");
}

Result<Buffer> gunzip(std::string_view content, std::size_t limit, ByteBudget::Token& charge) {
    if (std::optional<Buffer> whole = OBS_TRY(one_gzip_member(content, limit, charge)))
        return *std::move(whole);
    Buffer out;
    Inflate inflate(15 + 16);
    do {
        OBS_TRY_VOID(inflate.member(content, out, limit, charge));
    } while (starts_gzip(content));
    if (!content.empty())
        return fail(ErrorKind::invalid_input, "{} bytes behind the end of the gzip data", content.size());
    return out;
}

bool has_zlib_header(std::string_view content) {
    if (content.size() < 2) return false;
    const auto first = static_cast<unsigned char>(content[0]),
               second = static_cast<unsigned char>(content[1]);
    return (first & 0x0F) == Z_DEFLATED && (first * 256 + second) % 31 == 0;
}

// RFC 9110 means the zlib format; some clients send the bare stream.
Result<Buffer> inflate_any(std::string_view content, std::size_t limit, ByteBudget::Token& charge) {
    Buffer out;
    Inflate inflate(has_zlib_header(content) ? 15 : -15);
    OBS_TRY_VOID(inflate.member(content, out, limit, charge));
    if (!content.empty())
        return fail(ErrorKind::invalid_input, "{} bytes behind the end of the deflate data", content.size());
    return out;
}

Result<Buffer> unzstd(std::string_view content, std::size_t limit, ByteBudget::Token& charge) {
    Buffer out;
    ZSTD_DCtx* context = zstd_context();
    ZSTD_inBuffer in{content.data(), content.size(), 0};
    const std::size_t claimed = claimed_size(Coding::zstd, content).value_or(content.size() * 4);
    std::size_t wanted = std::min(claimed, content.size() * 64);
    std::size_t rest = 1;  // zero at the end of a frame
    for (;;) {
        if (out.size() == out.capacity() && out.size() < limit)
            OBS_TRY_VOID(grow(out, wanted, limit, charge));
        wanted = 0;
        // At the limit the last byte of room is our own, to see whether anything more comes.
        char extra = 0;
        const bool full = out.size() == limit;
        ZSTD_outBuffer piece{full ? &extra : out.data() + out.size(), full ? 1 : out.capacity() - out.size(),
                             0};
        const std::size_t before = in.pos;
        rest = ZSTD_decompressStream(context, &piece, &in);
        if (ZSTD_isError(rest))
            return fail(ErrorKind::invalid_input, "the compressed data is broken: {}",
                        ZSTD_getErrorName(rest));
        if (full && piece.pos > 0)
            return fail(ErrorKind::too_large, "more than {} bytes when decompressed", limit);
        if (!full) out.resize(out.size() + piece.pos);
        if (rest == 0 && in.pos == in.size) return out;
        if (piece.pos == 0 && in.pos == before && in.pos == in.size)
            return fail(ErrorKind::invalid_input, "the compressed data is cut off");
    }
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::optional<Coding> coding_named(std::string_view name) {
    while (!name.empty() && (name.front() == ' ' || name.front() == '\t')) name.remove_prefix(1);
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
    if (name.empty() || same_word(name, "identity")) return Coding::identity;
    if (same_word(name, "gzip") || same_word(name, "x-gzip")) return Coding::gzip;
    if (same_word(name, "deflate") || same_word(name, "zlib")) return Coding::deflate;
    if (same_word(name, "zstd")) return Coding::zstd;
    return std::nullopt;
}

std::optional<std::size_t> claimed_size(Coding coding, std::string_view content) {
    if (coding == Coding::identity) return content.size();
    if (coding == Coding::gzip && content.size() >= 18) {
        std::uint32_t size = 0;  // little endian, like every machine this runs on
        std::memcpy(&size, content.data() + content.size() - 4, 4);
        return size;
    }
    if (coding == Coding::zstd) {
        const unsigned long long size = ZSTD_getFrameContentSize(content.data(), content.size());
        if (size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR) return size;
    }
    return std::nullopt;
}

Result<Buffer> decompress(Coding coding, std::string_view content, std::size_t limit,
                          ByteBudget::Token& charge) try {
    switch (coding) {
        case Coding::gzip: return gunzip(content, limit, charge);
        case Coding::deflate: return inflate_any(content, limit, charge);
        case Coding::zstd: return unzstd(content, limit, charge);
        case Coding::identity: break;
    }
    if (content.size() > limit) return fail(ErrorKind::too_large, "more than {} bytes", limit);
    if (!charge.grow_to(content.size()))
        return fail(ErrorKind::overloaded, "no room for {} bytes", content.size());
    return Buffer(content);
} catch (const std::bad_alloc&) {
    return fail(ErrorKind::overloaded, "no memory to decompress {} bytes", content.size());
}

}  // namespace obs::net
