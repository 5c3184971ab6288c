// ClickHouse inside this process: libchdb, loaded when it is the chosen store. One engine a process, over one
// directory; it lives as long as anything that points to it.
//
// After `open` the process may not fork without exec (posix_spawn is fine). All of it must be gone before
// main returns: the library's thread-local objects die before static ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sql/statement.h"

namespace obs {

// How the version of the library must begin.
inline constexpr std::string_view needed_engine_version = "26.7.";

struct EngineAnswer {
    std::string bytes;
    std::uint64_t rows_read = 0;  // of tables, to find it
};

// A session of the engine. One statement at a time; one thread at a time.
class EngineConnection {
public:
    virtual ~EngineConnection() = default;

    // The whole answer in `format`.
    virtual Result<EngineAnswer> query(const Statement& statement, std::string_view format = "Native") = 0;
    // The answer in pieces of whole blocks, until `sink` returns false or fails.
    virtual Result<void> stream(const Statement& statement,
                                const std::function<Result<bool>(std::string_view)>& sink) = 0;
    // `sql` is an INSERT without data, `native` its blocks.
    virtual Result<void> insert(std::string_view sql, std::string_view native) = 0;
};

class Engine {
public:
    struct Options {
        std::filesystem::path library;    // libchdb.so
        std::filesystem::path directory;  // made when missing; belongs to the engine alone
        std::uint64_t memory = 0;         // bytes the engine may use in all; 0 = nine tenths of the machine
    };

    // Fails with `unavailable` when the library is missing or of another version, or when another process has
    // the directory.
    static Result<std::shared_ptr<Engine>> open(const Options& options);
    virtual ~Engine() = default;

    // `settings` are `name=value`. The connection keeps the engine alive.
    virtual Result<std::unique_ptr<EngineConnection>> connect(const std::vector<std::string>& settings) = 0;
    virtual std::string version() const = 0;
};

// What the engine's error text `Code: N. …` means for the caller; `writing` tells a statement that stores
// rows from one that reads.
enum class EngineUse : std::uint8_t { reading, writing };
Error engine_error(std::string_view text, EngineUse use);

}  // namespace obs
