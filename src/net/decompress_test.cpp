#include "net/decompress.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace obs::net {
namespace {

constexpr std::size_t mebi = 1 << 20;

std::string deflated(std::string_view content, int window_bits) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, content.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}
std::string gzip(std::string_view content) {
    return deflated(content, 15 + 16);
}
std::string zlib_wrapped(std::string_view content) {
    return deflated(content, 15);
}
std::string bare_deflate(std::string_view content) {
    return deflated(content, -15);
}

std::string zstd(std::string_view content, bool with_size, int window_log) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size ? 1 : 0);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    std::string out(ZSTD_compressBound(content.size()) + 64, '\0');
    ZSTD_inBuffer in{content.data(), content.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    if (with_size) ZSTD_CCtx_setPledgedSrcSize(context, content.size());
    // In two steps, so that the encoder does not learn the size and shrink the window to it.
    if (!with_size) ZSTD_compressStream2(context, &to, &in, ZSTD_e_continue);
    while (ZSTD_compressStream2(context, &to, &in, ZSTD_e_end) != 0) {
    }
    out.resize(to.pos);
    ZSTD_freeCCtx(context);
    return out;
}
std::string zstd_with_size(std::string_view content) {
    return zstd(content, true, 0);
}
std::string zstd_without_size(std::string_view content) {
    return zstd(content, false, 20);
}
std::string zstd_with_a_wide_window(std::string_view content) {
    return zstd(content, false, 25);
}

template <std::string (*pack)(std::string_view)>
std::string in_two_parts(std::string_view content) {
    return pack(content.substr(0, content.size() / 3)) + pack(content.substr(content.size() / 3));
}
std::string as_it_is(std::string_view content) {
    return std::string(content);
}

// Neither constant nor random.
std::string prose(std::size_t size) {
    std::string text;
    for (std::uint32_t n = 12345; text.size() < size; n = n * 1664525 + 1013904223)
        text += n >> 30 == 0 ? "refund " : std::string(1, static_cast<char>('a' + (n >> 27)));
    text.resize(size);
    return text;
}

struct Packed {
    std::string_view what;
    Coding coding;
    std::string (*pack)(std::string_view);
};
const Packed every_packing[] = {
    {"gzip", Coding::gzip, gzip},
    {"gzip_of_two_members", Coding::gzip, in_two_parts<gzip>},
    {"zlib", Coding::deflate, zlib_wrapped},
    {"bare_deflate", Coding::deflate, bare_deflate},
    {"zstd", Coding::zstd, zstd_with_size},
    {"zstd_of_two_frames", Coding::zstd, in_two_parts<zstd_with_size>},
    {"zstd_without_size", Coding::zstd, zstd_without_size},
    {"zstd_of_two_frames_without_size", Coding::zstd, in_two_parts<zstd_without_size>},
};

class Decompress : public testing::TestWithParam<Packed> {
protected:
    std::string pack(std::string_view content) const { return GetParam().pack(content); }
    Result<Buffer> unpack(std::string_view packed, std::size_t limit = 64 * mebi) {
        ByteBudget::Token charge = budget_.token(ByteBudget::Use::body);
        Result<Buffer> out = decompress(GetParam().coding, packed, limit, charge);
        charged_ = charge.bytes();
        return out;
    }
    ErrorKind failure(std::string_view packed, std::size_t limit = 64 * mebi) {
        const Result<Buffer> out = unpack(packed, limit);
        EXPECT_FALSE(out.has_value());
        return out ? ErrorKind::internal : out.error().kind;
    }

    ByteBudget budget_;
    std::size_t charged_ = 0;
};

// Those that have an end of their own.
class DecompressPacked : public Decompress {};

TEST_P(Decompress, gives_back_what_was_packed) {
    for (const std::size_t size : {0, 1, 2, 100, 70'000, 3'000'000}) {
        const std::string content = prose(size);
        const Result<Buffer> out = unpack(pack(content));
        ASSERT_TRUE(out.has_value()) << size << ": " << out.error().message;
        EXPECT_TRUE(out->view() == content) << size;
        EXPECT_GE(charged_, size);
    }
}

TEST_P(Decompress, takes_exactly_the_limit_and_not_a_byte_more) {
    const std::string content = prose(100'000);
    const std::string packed = pack(content);
    const Result<Buffer> out = unpack(packed, content.size());
    ASSERT_TRUE(out.has_value()) << out.error().message;
    EXPECT_TRUE(out->view() == content);
    EXPECT_EQ(failure(packed, content.size() - 1), ErrorKind::too_large);
}

TEST_P(DecompressPacked, refuses_what_is_cut_off) {
    const std::string packed = pack(prose(50'000));
    for (const std::size_t missing :
         {std::size_t{1}, std::size_t{3}, std::size_t{9}, packed.size() / 2, packed.size()})
        EXPECT_EQ(failure(std::string_view(packed).substr(0, packed.size() - missing)),
                  ErrorKind::invalid_input)
            << missing;
}

TEST_P(DecompressPacked, refuses_bytes_behind_the_end) {
    EXPECT_EQ(failure(pack("refund") + "garbage"), ErrorKind::invalid_input);
}

TEST_P(DecompressPacked, refuses_what_it_is_not) {
    EXPECT_EQ(failure("\x0a\x10 this is protobuf, more or less"), ErrorKind::invalid_input);
}

TEST_P(Decompress, stops_a_bomb_at_the_limit) {
    const std::string bomb = pack(std::string(16 * mebi, '\0'));
    EXPECT_EQ(failure(bomb, 2 * mebi), ErrorKind::too_large);
    EXPECT_LE(charged_, 2 * mebi + 1);
    EXPECT_EQ(budget_.used(), 0U);
}

TEST_P(Decompress, is_refused_when_the_budget_is_used_up) {
    const auto taken = budget_.acquire(budget_.limit() - 1000, ByteBudget::Use::queue);
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(failure(pack(prose(100'000))), ErrorKind::overloaded);
}

constexpr auto name_of = [](const auto& test) { return std::string(test.param.what); };
INSTANTIATE_TEST_SUITE_P(Identity, Decompress,
                         testing::Values(Packed{"identity", Coding::identity, as_it_is}), name_of);
INSTANTIATE_TEST_SUITE_P(Packings, Decompress, testing::ValuesIn(every_packing), name_of);
INSTANTIATE_TEST_SUITE_P(Packings, DecompressPacked, testing::ValuesIn(every_packing), name_of);

TEST(DecompressClaims, cost_nothing) {
    std::string lie = gzip(prose(1000));
    lie.replace(lie.size() - 4, 4, "\xff\xff\xff\x03");  // 64 MiB
    ByteBudget budget;
    ByteBudget::Token charge = budget.token(ByteBudget::Use::body);
    const Result<Buffer> out = decompress(Coding::gzip, lie, 64 * mebi, charge);
    ASSERT_FALSE(out.has_value());
    EXPECT_EQ(out.error().kind, ErrorKind::invalid_input);
    EXPECT_LT(charge.bytes(), mebi);
}

TEST(DecompressZstd, refuses_a_window_wider_than_8_mebibytes) {
    ByteBudget::Token charge;
    const Result<Buffer> out = decompress(Coding::zstd, zstd_with_a_wide_window(prose(1000)), mebi, charge);
    ASSERT_FALSE(out.has_value());
    EXPECT_EQ(out.error().kind, ErrorKind::invalid_input);
}

TEST(CodingNamed, knows_names_in_any_case) {
    EXPECT_EQ(coding_named(""), Coding::identity);
    EXPECT_EQ(coding_named("Identity"), Coding::identity);
    EXPECT_EQ(coding_named(" GZIP "), Coding::gzip);
    EXPECT_EQ(coding_named("x-gzip"), Coding::gzip);
    EXPECT_EQ(coding_named("deflate"), Coding::deflate);
    EXPECT_EQ(coding_named("zstd"), Coding::zstd);
    EXPECT_EQ(coding_named("br"), std::nullopt);
    EXPECT_EQ(coding_named("gzip, gzip"), std::nullopt);
}

}  // namespace
}  // namespace obs::net
