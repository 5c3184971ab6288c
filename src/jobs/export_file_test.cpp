#include "jobs/export_file.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "catalog/scratch.h"

namespace obs::jobs {
namespace {

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string ungzipped(const std::filesystem::path& path) {
    const gzFile file = gzopen(path.c_str(), "rb");
    std::string out, piece(1 << 16, '\0');
    for (int got = 0; (got = gzread(file, piece.data(), static_cast<unsigned>(piece.size()))) > 0;)
        out.append(piece.data(), static_cast<std::size_t>(got));
    gzclose(file);
    return out;
}

std::string unzstd(const std::string& bytes, std::size_t size) {
    std::string out(size + 1, '\0');
    const std::size_t got = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
    if (ZSTD_isError(got) != 0) return ZSTD_getErrorName(got);
    out.resize(got);
    return out;
}

class ExportFileTest : public testing::TestWithParam<Compression> {
protected:
    std::string written(const std::string& content) const {
        const auto path = scratch_.path() / "file";
        auto file = ExportFile::create(path, GetParam(), {.keep_free = 0});
        EXPECT_TRUE(file) << file.error().message;
        for (std::size_t at = 0; at < content.size(); at += 100'000)
            EXPECT_TRUE(file->write(std::string_view(content).substr(at, 100'000)));
        const auto size = file->finish();
        EXPECT_TRUE(size) << size.error().message;
        EXPECT_EQ(*size, std::filesystem::file_size(path));
        switch (GetParam()) {
            case Compression::gzip: return ungzipped(path);
            case Compression::zstd: return unzstd(content_of(path), content.size());
            case Compression::none: break;
        }
        return content_of(path);
    }

    Scratch scratch_;
};
INSTANTIATE_TEST_SUITE_P(Compressions, ExportFileTest,
                         testing::Values(Compression::none, Compression::gzip, Compression::zstd),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(ExportFileTest, holdsWhatWasWritten) {
    EXPECT_EQ(written(""), "");
    EXPECT_EQ(written("a few bytes"), "a few bytes");
    std::string much;
    for (int i = 0; much.size() < (10u << 20); ++i) much += std::to_string(i * 2'654'435'761u) + ",";
    EXPECT_TRUE(written(much) == much);
}

struct RoomCase {
    std::string_view what;
    ExportRoom room;
    std::string_view reason;
};

TEST(ExportRoom, isKept) {
    const RoomCase cases[] = {
        {"one file alone is too big",
         {.most = 1000, .taken = 0, .keep_free = 0},
         "exports may take 1000 bytes"},
        {"others have it", {.most = 1 << 30, .taken = 1 << 30, .keep_free = 0}, "exports may take"},
        {"the disk is full", {.keep_free = UINT64_MAX}, "the disk is nearly full"},
    };
    const Scratch scratch;
    for (const RoomCase& test : cases) {
        auto file = ExportFile::create(scratch.path() / "file", Compression::none, test.room);
        ASSERT_TRUE(file);
        const auto wrote = file->write(std::string(5 << 20, 'x'));
        ASSERT_FALSE(wrote) << test.what;
        EXPECT_EQ(wrote.error().kind, ErrorKind::overloaded) << test.what;
        EXPECT_NE(wrote.error().message.find(test.reason), std::string::npos) << wrote.error().message;
    }
}

TEST(ExportFile, tellsThatADiskIsFull) {
    auto file = ExportFile::create("/dev/full", Compression::none, {.keep_free = 0});
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("x"));
    const auto finished = file->finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().kind, ErrorKind::overloaded);
    EXPECT_NE(finished.error().message.find("No space left"), std::string::npos) << finished.error().message;
}

TEST(ExportFile, cannotBeWhereNoDirectoryIs) {
    const Scratch scratch;
    const auto file = ExportFile::create(scratch.path() / "none" / "file", Compression::none, {});
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().kind, ErrorKind::unavailable);
}

TEST(ExportFile, isRenamedOverWhatWasThere) {
    const Scratch scratch;
    const auto from = scratch.write("a", "new"), to = scratch.write("b", "old");
    ASSERT_TRUE(rename_durably(from, to));
    EXPECT_EQ(content_of(to), "new");
    EXPECT_FALSE(std::filesystem::exists(from));
}

}  // namespace
}  // namespace obs::jobs
