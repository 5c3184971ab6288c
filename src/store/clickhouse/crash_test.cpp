// What is stored survives a killed process and a full disk. The engine has one directory a process, so each
// of these runs in a child.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace obs {
namespace {

std::string engine_library() {
    const char* set = std::getenv("OBS_ENGINE_LIBRARY");
    return set != nullptr ? set : "build/lib/libchdb.so";
}
std::string child_program() {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "store_crash_child").string();
}

class Child {
public:
    explicit Child(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), child_program());
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        int ends[2] = {-1, -1};
        if (pipe(ends) != 0) return;
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        posix_spawn_file_actions_addclose(&actions, ends[0]);
        posix_spawn_file_actions_addclose(&actions, ends[1]);
        if (posix_spawn(&process_, argv[0], &actions, nullptr, argv.data(), environ) != 0) process_ = -1;
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        output_ = fdopen(ends[0], "r");
    }
    ~Child() {
        kill_now();
        if (output_ != nullptr) std::fclose(output_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    // Nothing once the child has ended.
    std::optional<std::string> line() {
        char buffer[1024];
        if (output_ == nullptr || std::fgets(buffer, sizeof buffer, output_) == nullptr) return std::nullopt;
        std::string text = buffer;
        while (!text.empty() && text.back() == '\n') text.pop_back();
        return text;
    }
    // The last line that says something.
    std::string last_line() {
        std::string last;
        while (const auto next = line())
            if (!next->empty()) last = *next;
        return last;
    }
    void kill_now() {
        if (process_ <= 0) return;
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
        process_ = -1;
    }

private:
    pid_t process_ = -1;
    FILE* output_ = nullptr;
};

class Directory {
public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "store_crash_XXXXXX").string();
        path = mkdtemp(name.data());
    }
    ~Directory() {
        if (mounted) umount2(path.c_str(), MNT_DETACH);
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    std::string path;
    bool mounted = false;
};

TEST(ClickHouseCrash, aKilledProcessLosesNothingItStoredAndReplayStoresNothingTwice) {
    const Directory directory;
    std::uint64_t last = 0;
    for (int round = 0; round < 4; ++round) {
        Child writer({engine_library(), directory.path, "write", "0", "1000000"});
        // Killed while it writes a batch that no round has stored before.
        const std::uint64_t until = last + 5 + static_cast<std::uint64_t>(round);
        std::optional<std::string> line;
        while ((line = writer.line())) {
            ASSERT_TRUE(line->starts_with("stored ")) << *line;
            const std::uint64_t number = std::stoull(line->substr(7));
            last = std::max(last, number);
            if (number >= until) break;
        }
        ASSERT_TRUE(line) << "the writer ended by itself";
        writer.kill_now();
    }
    // The batch in flight may be there or not; written again under its id it is there once. The others are
    // not touched again: they and what was amended in them must have stayed.
    const std::string next = std::to_string(last + 1);
    Child replay({engine_library(), directory.path, "write", next, next});
    const std::uint64_t rows = (last + 2) * 500;
    EXPECT_EQ(replay.last_line(), fmt::format("rows {} distinct {} roots {}", rows, rows, rows));
}

TEST(ClickHouseCrash, aFullDiskRefusesAndGoesOnWhenThereIsRoom) {
    Directory directory;
    if (mount("tmpfs", directory.path.c_str(), "tmpfs", 0, "size=64m") != 0)
        GTEST_SKIP() << "a small disk can only be mounted by root";
    directory.mounted = true;
    const std::string ballast = directory.path + "/ballast";
    std::ofstream(ballast) << std::string(24 << 20, 'x');

    Child child({engine_library(), directory.path + "/store", "fill", ballast});
    EXPECT_EQ(child.line(), "refused unavailable");
    const std::string stored = child.line().value_or("nothing");
    ASSERT_TRUE(stored.starts_with("stored ")) << stored;
    const std::uint64_t rows = (std::stoull(stored.substr(7)) + 1) * 500;
    EXPECT_EQ(child.last_line(), fmt::format("rows {} distinct {} roots 0", rows, rows));
}

}  // namespace
}  // namespace obs
