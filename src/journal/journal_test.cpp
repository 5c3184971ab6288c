#include "journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <map>
#include <random>
#include <thread>

#include "journal/segment.h"

namespace obs {
namespace {

namespace fs = std::filesystem;

class JournalTest : public testing::Test {
protected:
    JournalTest() {
        std::string pattern = testing::TempDir() + "journal-XXXXXX";
        directory_ = mkdtemp(pattern.data());
    }
    ~JournalTest() override { fs::remove_all(directory_); }

    Result<std::unique_ptr<Journal>> open(std::size_t segment_size = 1 << 16,
                                          std::uint64_t budget = 1 << 30) {
        return Journal::open({.directory = directory_, .segment_size = segment_size, .disk_budget = budget});
    }
    static Result<Sequence> put(Journal& journal, std::string_view payload,
                                RecordKind kind = RecordKind::rows) {
        std::promise<Result<Sequence>> done;
        journal.submit(kind, payload, [&](Result<Sequence> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    static std::map<Sequence, std::string> replayed(Journal& journal) {
        std::map<Sequence, std::string> found;
        if (journal.recovery().last == 0) return found;
        const auto result = journal.replay(
            journal.recovery().first,
            [&](Sequence sequence, RecordKind, std::string_view payload) -> Result<void> {
                EXPECT_TRUE(found.empty() || found.rbegin()->first + 1 == sequence) << "not in order";
                found.emplace(sequence, payload);
                return {};
            });
        EXPECT_TRUE(result) << result.error().message;
        return found;
    }
    std::vector<fs::path> files() const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(directory_))
            if (entry.path().extension() == ".segment") found.push_back(entry.path());
        std::ranges::sort(found);
        return found;
    }
    static std::string read(const fs::path& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    static void write(const fs::path& path, const std::string& content) {
        std::ofstream(path, std::ios::binary) << content;
    }

    fs::path directory_;
};

// Does not compress, so that sizes are what they seem.
std::string noise(std::size_t size, unsigned seed = 1) {
    std::mt19937 random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
}

TEST_F(JournalTest, replaysWhatWasAcknowledgedInItsOrder) {
    {
        auto journal = open().value();
        EXPECT_TRUE(replayed(*journal).empty());
        EXPECT_EQ(put(*journal, "one"), 1u);
        EXPECT_EQ(put(*journal, std::string(5000, 'x')), 2u);
        EXPECT_EQ(put(*journal, ""), 3u);
    }
    auto journal = open().value();
    EXPECT_EQ(journal->recovery().first, 1u);
    EXPECT_EQ(journal->recovery().last, 3u);
    EXPECT_THAT(replayed(*journal),
                testing::ElementsAre(testing::Pair(1, "one"), testing::Pair(2, std::string(5000, 'x')),
                                     testing::Pair(3, "")));
    EXPECT_EQ(put(*journal, "four"), 4u);
}

TEST_F(JournalTest, handsOverTheHeadsOfRecordsAlone) {
    auto journal = open().value();
    const std::string records[] = {"0123456789", "ab" + std::string(5000, 'x'), noise(5000), "c", ""};
    for (const std::string& record : records) ASSERT_TRUE(put(*journal, record));
    std::vector<std::string> heads;
    ASSERT_TRUE(journal->replay_heads(2, 5, [&](Sequence, RecordKind, std::string_view head) {
        heads.emplace_back(head);
        return Result<void>();
    }));
    EXPECT_THAT(heads, testing::ElementsAre("abxxx", noise(5000).substr(0, 5), "c", ""));
}

TEST_F(JournalTest, whatWasConfirmedIsNotReplayed) {
    {
        auto journal = open().value();
        for (int i = 0; i < 5; ++i) ASSERT_TRUE(put(*journal, "x"));
        journal->confirm(3);
    }
    auto journal = open().value();
    EXPECT_THAT(replayed(*journal), testing::ElementsAre(testing::Key(4), testing::Key(5)));
}

TEST_F(JournalTest, numbersGoOnWhenEverythingWasConfirmed) {
    for (Sequence next = 1; next < 20; ++next) {
        auto journal = open().value();
        EXPECT_TRUE(replayed(*journal).empty());
        EXPECT_EQ(put(*journal, "x"), next);
        journal->confirm(next);
    }
    EXPECT_LE(files().size(), 4u) << "segments are used again";
}

TEST_F(JournalTest, segmentsAreUsedAgain) {
    auto journal = open(1 << 14).value();
    for (unsigned i = 0; i < 200; ++i) {
        const auto sequence = put(*journal, noise(1000, i));
        ASSERT_TRUE(sequence);
        journal->confirm(*sequence);
    }
    EXPECT_LE(files().size(), 3u);
}

TEST_F(JournalTest, aRecordMayBeLargerThanASegment) {
    const std::string large = noise(300'000);
    {
        auto journal = open(1 << 14).value();
        ASSERT_TRUE(put(*journal, "before"));
        ASSERT_TRUE(put(*journal, large));
        ASSERT_TRUE(put(*journal, "after"));
    }
    auto journal = open(1 << 14).value();
    EXPECT_EQ(replayed(*journal)[2], large);
    journal->confirm(3);
    ASSERT_TRUE(put(*journal, "later"));
    ASSERT_TRUE(put(*journal, "again"));
    for (const fs::path& file : files()) EXPECT_EQ(fs::file_size(file), 1u << 14) << "the large one is gone";
}

TEST_F(JournalTest, aTornTailWasNeverAcknowledged) {
    std::uint64_t before = 0;
    {
        auto journal = open().value();
        ASSERT_TRUE(put(*journal, noise(100)));
    }
    before = sizeof(SegmentHeader) + sizeof(RecordHeader) + 100;
    const fs::path file = files().front();
    {
        auto journal = open().value();
        journal.reset();
    }
    fs::remove(files().back());
    const std::string one = read(file);
    // A second record, of which only a part reached the disk.
    {
        auto journal = open().value();
        ASSERT_TRUE(put(*journal, noise(200)));
    }
    const std::string record = read(files().back()).substr(sizeof(SegmentHeader), sizeof(RecordHeader) + 200);
    for (std::size_t kept = 0; kept < record.size(); kept += 7) {
        for (const fs::path& other : files()) fs::remove(other);
        std::string torn = one;
        torn.replace(before, kept, record.substr(0, kept));
        write(file, torn);
        auto journal = open();
        ASSERT_TRUE(journal) << kept << ": " << journal.error().message;
        EXPECT_THAT(replayed(**journal), testing::ElementsAre(testing::Key(1)));
        EXPECT_EQ(put(**journal, "next"), 2u);
    }
}

TEST_F(JournalTest, damageOfAcknowledgedRecordsIsNeverSilent) {
    {
        auto journal = open().value();
        for (unsigned i = 0; i < 3; ++i) ASSERT_TRUE(put(*journal, noise(50, i)));
    }
    const fs::path file = files().front();
    const std::string whole = read(file);
    const std::size_t record = sizeof(RecordHeader) + 50;
    for (std::size_t at = sizeof(SegmentHeader); at < sizeof(SegmentHeader) + 2 * record; ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        write(file, damaged);
        const auto journal = open();
        ASSERT_FALSE(journal) << "byte " << at;
        EXPECT_EQ(journal.error().kind, ErrorKind::corrupt);
        EXPECT_THAT(journal.error().message, testing::HasSubstr(file.filename().string()));
    }
}

TEST_F(JournalTest, aMissingSegmentIsNeverSilent) {
    {
        auto journal = open(1 << 12).value();
        for (unsigned i = 0; i < 20; ++i) ASSERT_TRUE(put(*journal, noise(1000, i)));
    }
    ASSERT_GE(files().size(), 4u);
    fs::remove(files()[2]);
    const auto journal = open(1 << 12);
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().kind, ErrorKind::corrupt);
}

TEST_F(JournalTest, refusesOverItsDiskBudgetAndHeals) {
    auto journal = open(1 << 12, 3 << 12).value();
    Sequence last = 0;
    Result<Sequence> result = 0;
    for (unsigned i = 0; i < 100 && (result = put(*journal, noise(1000, i))); ++i) last = *result;
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::overloaded);
    journal->confirm(last);
    // Space comes back when the journal's thread has seen the confirmation.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!(result = put(*journal, noise(1000))) && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_EQ(result, last + 1);
}

// Without the writer's own records nothing is ever confirmed, so the journal would stay full for good.
TEST_F(JournalTest, takesTheRecordsOfTheWriterBeyondItsBudget) {
    Sequence last = 0;
    for (int life = 0; life < 10; ++life) {
        auto journal = open(1 << 12, 3 << 12).value();
        Result<Sequence> result = 0;
        for (unsigned i = 0; i < 100 && (result = put(*journal, noise(1000, i))); ++i) last = *result;
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, ErrorKind::overloaded);
        result = put(*journal, noise(600), RecordKind::boundary);
        ASSERT_TRUE(result) << result.error().message;
        last = *result;
    }
    EXPECT_LE(files().size(), 3u + 10u);
    auto journal = open(1 << 12, 3 << 12).value();
    journal->confirm(last);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    Result<Sequence> result = 0;
    while (!(result = put(*journal, noise(1000))) && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_TRUE(result);
    EXPECT_LE(files().size(), 3u) << "what was over the budget is given back";
}

TEST_F(JournalTest, refusesWhenItsQueueIsFull) {
    auto journal =
        Journal::open({.directory = directory_, .segment_size = 1 << 20, .queue_bytes = 1000}).value();
    std::atomic<int> kept = 0, refused = 0;
    const std::string payload = noise(600);
    for (int i = 0; i < 2000; ++i)
        journal->submit(RecordKind::rows, payload, [&](const Result<Sequence>& result) {
            if (result) {
                ++kept;
            } else {
                EXPECT_EQ(result.error().kind, ErrorKind::overloaded);
                ++refused;
            }
        });
    journal.reset();
    EXPECT_EQ(kept + refused, 2000);
    EXPECT_GT(refused, 0);
    journal = open().value();
    EXPECT_EQ(replayed(*journal).size(), static_cast<std::size_t>(kept));
}

TEST_F(JournalTest, keepsWhatManyThreadsSubmit) {
    constexpr int threads = 4, each = 200;
    std::mutex mutex;
    std::map<Sequence, std::string> acknowledged;
    {
        auto journal = open(1 << 15).value();
        std::vector<std::jthread> submitters;
        for (int t = 0; t < threads; ++t)
            submitters.emplace_back([&, t] {
                for (int i = 0; i < each; ++i) {
                    std::string payload = fmt::format("{}-{}", t, i) + noise(static_cast<std::size_t>(i));
                    journal->submit(RecordKind::rows, payload, [&, payload](Result<Sequence> result) {
                        const std::lock_guard lock(mutex);
                        acknowledged.emplace(result.value(), payload);
                    });
                }
            });
        submitters.clear();
    }
    EXPECT_EQ(acknowledged.size(), std::size_t{threads * each});
    auto journal = open(1 << 15).value();
    EXPECT_EQ(replayed(*journal), acknowledged);
}

TEST_F(JournalTest, canBeReadWhileItIsWritten) {
    auto journal = open(1 << 13).value();
    for (unsigned i = 1; i <= 40; ++i) ASSERT_TRUE(put(*journal, noise(1000, i)));
    std::vector<Sequence> read;
    const auto result =
        journal->replay(11, [&](Sequence sequence, RecordKind, std::string_view payload) -> Result<void> {
            if (sequence <= 40) {
                EXPECT_EQ(payload, noise(1000, static_cast<unsigned>(sequence)));
            }
            read.push_back(sequence);
            if (sequence < 20) {
                EXPECT_TRUE(put(*journal, "more"));
            }
            journal->confirm(sequence);
            return {};
        });
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(read.size(), 39u);
    EXPECT_EQ(read.front(), 11u);
    EXPECT_EQ(read.back(), 49u);
}

TEST_F(JournalTest, anErrorOfTheReceiverEndsTheReplay) {
    {
        auto journal = open().value();
        ASSERT_TRUE(put(*journal, "x"));
    }
    auto journal = open().value();
    const auto result = journal->replay(
        0, [](auto&&...) -> Result<void> { return fail(ErrorKind::corrupt, "not readable"); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "not readable");
}

TEST_F(JournalTest, saysWhyItCannotOpen) {
    const auto journal = Journal::open({.directory = directory_ / "missing"});
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().kind, ErrorKind::unavailable);
    EXPECT_THAT(journal.error().message, testing::HasSubstr("missing"));
}

}  // namespace
}  // namespace obs
