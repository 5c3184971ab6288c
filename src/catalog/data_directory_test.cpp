#include "catalog/data_directory.h"

#include <algorithm>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "catalog/scratch.h"

namespace obs {
namespace {

namespace fs = std::filesystem;

unsigned mode_of(const fs::path& path) {
    struct stat facts{};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 0777 : 0;
}

// Another process that opens the directory, tells how that went, and keeps it open until told to end.
class OtherProcess {
public:
    explicit OtherProcess(const fs::path& directory) {
        int told[2], asked[2];
        if (::pipe(told) != 0 || ::pipe(asked) != 0) std::abort();
        process_ = ::fork();
        if (process_ == 0) {
            const Result<DataDirectory> opened = DataDirectory::open(directory, Lock::take);
            const char answer = opened ? 'y' : 'n';
            char ignored;
            ::close(asked[1]);
            const bool ended = ::write(told[1], &answer, 1) == 1 && ::read(asked[0], &ignored, 1) == 0;
            ::_exit(ended ? 0 : 1);
        }
        ::close(told[1]);
        ::close(asked[0]);
        keep_open_ = asked[1];
        char answer = 'n';
        opened_ = ::read(told[0], &answer, 1) == 1 && answer == 'y';
        ::close(told[0]);
    }
    ~OtherProcess() {
        ::close(keep_open_);
        ::waitpid(process_, nullptr, 0);
    }
    bool opened() const { return opened_; }
    pid_t process() const { return process_; }

private:
    pid_t process_;
    int keep_open_;
    bool opened_;
};

TEST(DataDirectory, makesEverythingForItsOwnerAlone) {
    const Scratch scratch;
    const fs::path path = scratch.path() / "deep" / "data";
    const Result<DataDirectory> opened = DataDirectory::open(path, Lock::take);
    ASSERT_TRUE(opened) << opened.error().message;
    for (const fs::path& directory : {path, opened->journal(), opened->engine(), opened->exports(),
                                      opened->quarantine(), opened->secrets()})
        EXPECT_EQ(mode_of(directory), 0700u) << directory;
    EXPECT_EQ(read_small(path / "format").value_or(""), "1");
    EXPECT_EQ(opened->catalog_file(), path / "catalog.sqlite");
}

TEST(DataDirectory, keepsItsId) {
    const Scratch scratch;
    std::string first;
    {
        const Result<DataDirectory> opened = DataDirectory::open(scratch.path(), Lock::take);
        ASSERT_TRUE(opened) << opened.error().message;
        first = opened->id();
    }
    EXPECT_EQ(first.size(), 16u);
    EXPECT_TRUE(std::ranges::all_of(first, [](unsigned char c) { return std::isalnum(c) != 0; })) << first;
    const Result<DataDirectory> again = DataDirectory::open(scratch.path(), Lock::take);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->id(), first);
}

TEST(DataDirectory, finishesWhatAStartCutShort) {
    const Scratch scratch;
    fs::create_directory(scratch.path() / "journal");
    scratch.write("id", "abcdefgh12345678\n");
    scratch.write("format.new", "");
    const Result<DataDirectory> opened = DataDirectory::open(scratch.path(), Lock::take);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->id(), "abcdefgh12345678");
    EXPECT_TRUE(fs::exists(scratch.path() / "format"));
}

TEST(DataDirectory, isReadableBesideItsServerAndNeverWritableTwice) {
    const Scratch scratch;
    const OtherProcess server(scratch.path());
    ASSERT_TRUE(server.opened());
    EXPECT_EQ(lock_holder(scratch.path()), std::optional<int>(server.process()));
    EXPECT_TRUE(DataDirectory::open(scratch.path(), Lock::read_only));
    const Result<DataDirectory> second = DataDirectory::open(scratch.path(), Lock::take);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::unavailable);
    EXPECT_NE(second.error().message.find("already in use by process " + std::to_string(server.process())),
              std::string::npos)
        << second.error().message;
}

TEST(DataDirectory, isFreeOnceItsProcessIsGone) {
    const Scratch scratch;
    {
        const OtherProcess server(scratch.path());
    }
    EXPECT_EQ(lock_holder(scratch.path()), std::nullopt);
    EXPECT_TRUE(DataDirectory::open(scratch.path(), Lock::take));
}

TEST(DataDirectory, isFreeOnceItsObjectIsGone) {
    const Scratch scratch;
    {
        Result<DataDirectory> first = DataDirectory::open(scratch.path(), Lock::take);
        ASSERT_TRUE(first);
        const DataDirectory moved = *std::move(first);
        EXPECT_FALSE(DataDirectory::open(scratch.path(), Lock::take));
    }
    EXPECT_TRUE(DataDirectory::open(scratch.path(), Lock::take));
}

TEST(DataDirectory, hasNoLockHolderWhereThereIsNothing) {
    EXPECT_EQ(lock_holder("/nowhere/at/all"), std::nullopt);
}

struct RefusedDirectory {
    std::string_view what;
    std::string_view file, content;
    Lock lock;
    ErrorKind kind;
    std::string_view says;
};
class Refused : public testing::TestWithParam<RefusedDirectory> {};

TEST_P(Refused, withAReason) {
    const Scratch scratch;
    if (!GetParam().file.empty()) scratch.write(GetParam().file, GetParam().content);
    const Result<DataDirectory> opened = DataDirectory::open(scratch.path(), GetParam().lock);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, GetParam().kind);
    EXPECT_NE(opened.error().message.find(GetParam().says), std::string::npos) << opened.error().message;
    EXPECT_EQ(lock_holder(scratch.path()), std::nullopt);
}
INSTANTIATE_TEST_SUITE_P(
    DataDirectory, Refused,
    testing::Values(
        RefusedDirectory{"newer_format", "format", "2\n", Lock::take, ErrorKind::invalid_input,
                         "has format 2, made by a newer program"},
        RefusedDirectory{"newer_format_read", "format", "2\n", Lock::read_only, ErrorKind::invalid_input,
                         "has format 2, made by a newer program"},
        RefusedDirectory{"format_without_number", "format", "one", Lock::take, ErrorKind::corrupt, "format"},
        RefusedDirectory{"format_with_more", "format", "1 2", Lock::take, ErrorKind::corrupt, "format"},
        RefusedDirectory{"huge_format", "format",
                         std::string_view("11111111111111111111111111111111111111111"), Lock::take,
                         ErrorKind::corrupt, "larger than"},
        RefusedDirectory{"id_lost", "format", "1\n", Lock::take, ErrorKind::not_found, "id"},
        RefusedDirectory{"other_things_inside", "holiday.jpg", "", Lock::take, ErrorKind::invalid_input,
                         "holds holiday.jpg"},
        RefusedDirectory{"never_made", "", "", Lock::read_only, ErrorKind::not_found, "no data directory"}),
    [](const auto& test) { return std::string(test.param.what); });

TEST(DataDirectory, doesNotTakeAFileForADirectory) {
    const Scratch scratch;
    const Result<DataDirectory> opened = DataDirectory::open(scratch.write("data", "x"), Lock::take);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("Not a directory"), std::string::npos) << opened.error().message;
}

TEST(DataDirectory, makesASecretOnceAndForItsOwnerAlone) {
    const Scratch scratch;
    std::string first;
    {
        const Result<DataDirectory> opened = DataDirectory::open(scratch.path(), Lock::take);
        ASSERT_TRUE(opened);
        const Result<Secret> secret = opened->secret("jwt");
        ASSERT_TRUE(secret) << secret.error().message;
        first = secret->reveal();
        EXPECT_EQ(mode_of(opened->secrets() / "jwt"), 0600u);
        EXPECT_NE(opened->secret("other")->reveal(), first);
    }
    EXPECT_EQ(first.size(), 64u);
    const Result<DataDirectory> reader = DataDirectory::open(scratch.path(), Lock::read_only);
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->secret("jwt")->reveal(), first);
    const Result<Secret> missing = reader->secret("never_made");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
}

TEST(RandomText, usesItsWholeAlphabetAndDiffersEachTime) {
    std::string text = random_text(20'000);
    EXPECT_EQ(text.size(), 20'000u);
    EXPECT_NE(text, random_text(20'000));
    std::ranges::sort(text);
    const auto rest = std::ranges::unique(text);
    EXPECT_EQ(text.size() - rest.size(), 62u);
}

TEST(WriteDurably, replacesTheWholeFile) {
    const Scratch scratch;
    ASSERT_TRUE(write_durably(scratch.path() / "f", "a long first content"));
    ASSERT_TRUE(write_durably(scratch.path() / "f", "short\n"));
    EXPECT_EQ(read_small(scratch.path() / "f").value_or(""), "short");
    EXPECT_FALSE(fs::exists(scratch.path() / "f.new"));
}

}  // namespace
}  // namespace obs
