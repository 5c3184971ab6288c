#include "store/clickhouse/engine.h"

#include <charconv>
#include <csignal>
#include <fstream>
#include <mutex>
#include <string_view>
#include <utility>

#include <dlfcn.h>
#include <pthread.h>

#include "base/log.h"
#include "store/clickhouse/libchdb.h"

namespace obs {

namespace {

// Loading the library blocks SIGPIPE in the calling thread, and threads started meanwhile inherit that; ours
// must not.
class KeepSignalMask {
public:
    KeepSignalMask() { pthread_sigmask(SIG_SETMASK, nullptr, &before_); }
    ~KeepSignalMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    KeepSignalMask(const KeepSignalMask&) = delete;
    KeepSignalMask& operator=(const KeepSignalMask&) = delete;

private:
    sigset_t before_{};
};

// Never unloaded: its threads do not end before the process does.
Result<const libchdb::Functions*> load(const std::filesystem::path& library) {
    static std::mutex mutex;
    static libchdb::Functions functions;
    static bool loaded = false;
    const std::lock_guard lock(mutex);
    if (loaded) return &functions;

    const KeepSignalMask mask;
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return fail(ErrorKind::unavailable, "cannot load the engine: {}", dlerror());
#define OBS_CHDB_LOAD(name, result, arguments)                                         \
    functions.name = reinterpret_cast<decltype(functions.name)>(dlsym(handle, #name)); \
    if (functions.name == nullptr)                                                     \
        return fail(ErrorKind::unavailable, "{} has no function {}", library.string(), #name);
    OBS_CHDB_FUNCTIONS(OBS_CHDB_LOAD)
#undef OBS_CHDB_LOAD
    const std::string_view version = functions.chdb_version();
    if (!version.starts_with(needed_engine_version))
        return fail(ErrorKind::unavailable, "{} is version {}, but {}x is needed", library.string(), version,
                    needed_engine_version);
    functions.chdb_set_signal_handlers_enabled(0);
    loaded = true;
    return &functions;
}

Result<void> write_file(const std::filesystem::path& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush()) return fail(ErrorKind::unavailable, "cannot write {}", path.string());
    return {};
}

std::string xml_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else
            out += c;
    }
    return out;
}

// Merged parts are fsynced, and their sources are kept a minute longer (decision 36): without both a power
// cut can lose rows that were acknowledged. The engine's own log could quote values of rows, so there is
// none; errors come back with the call. Statistics by default cost every insert and no question uses them.
// A wide part has a file or two for each column, each synced: 250 syncs for a write of 20,000 spans, and
// writes grow just when the store falls behind. So small parts are compact.
constexpr std::string_view config_text = R"(<clickhouse>
  <users_config>{users}</users_config>
  <logger><level>none</level></logger>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
    <old_parts_lifetime>60</old_parts_lifetime>
    <auto_statistics_types></auto_statistics_types>
    <min_bytes_for_wide_part>200000000</min_bytes_for_wide_part>
  </merge_tree>
</clickhouse>
)";

// No statement of ours needs a table function that opens files or sockets, so none may.
constexpr std::string_view users_text = R"(<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON *.*</query>
        <query>REVOKE SOURCES ON *.*</query>
      </grants>
    </default>
  </users>
</clickhouse>
)";

// What stands for a byte in a parameter, which is read like a field of a TSV file; `quote` too in a list's
// text.
void append_escaped(std::string& out, std::string_view text, bool in_list = false) {
    for (const char c : text) {
        switch (c) {
            case '\\': out += "\\\\"; break;
            case '\t': out += "\\t"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            case '\0': out += "\\0"; break;
            case '\'': out += in_list ? "\\'" : "'"; break;
            default: out += c;
        }
    }
}

template <class T>
std::string listed(const std::vector<T>& values) {
    std::string out = "[";
    for (const T& value : values) {
        if (out.size() > 1) out += ',';
        if constexpr (std::is_same_v<T, std::string>) {
            out += '\'';
            append_escaped(out, value, true);
            out += '\'';
        } else
            out += fmt::format("{}", value);
    }
    return out += ']';
}

std::string parameter_text(const Bound& value) {
    return std::visit(
        []<class T>(const T& v) {
            std::string text;
            if constexpr (std::is_same_v<T, std::string>)
                append_escaped(text, v);
            else if constexpr (requires { v.begin(); })
                text = listed(v);
            else
                text = fmt::format("{}", v);
            return text;
        },
        value);
}

struct Parameters {
    explicit Parameters(const Statement& statement) {
        for (const Bound& value : statement.values) {
            names_.push_back(fmt::format("p{}", names_.size()));
            texts_.push_back(parameter_text(value));
        }
        for (std::size_t i = 0; i < names_.size(); ++i) {
            name_pointers.push_back(names_[i].data());
            name_sizes.push_back(names_[i].size());
            value_pointers.push_back(texts_[i].data());
            value_sizes.push_back(texts_[i].size());
        }
    }
    std::size_t count() const { return names_.size(); }

    std::vector<const char*> name_pointers, value_pointers;
    std::vector<std::size_t> name_sizes, value_sizes;

private:
    std::vector<std::string> names_, texts_;
};

class Answer {
public:
    Answer(const libchdb::Functions& chdb, libchdb::Result* result) : chdb_(chdb), result_(result) {}
    ~Answer() {
        if (result_ != nullptr) chdb_.chdb_destroy_query_result(result_);
    }
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;

    // Null when all is well.
    const char* error() const {
        return result_ == nullptr ? "the engine gave no answer" : chdb_.chdb_result_error(result_);
    }
    std::string_view bytes() const {
        const std::size_t size = chdb_.chdb_result_length(result_);
        return size == 0 ? std::string_view() : std::string_view(chdb_.chdb_result_buffer(result_), size);
    }
    libchdb::Result* get() const { return result_; }

private:
    const libchdb::Functions& chdb_;
    libchdb::Result* result_;
};

class Insert {
public:
    Insert(const libchdb::Functions& chdb, libchdb::InsertStream* stream) : chdb_(chdb), stream_(stream) {}
    ~Insert() { chdb_.chdb_destroy_insert_stream(stream_); }
    Insert(const Insert&) = delete;
    Insert& operator=(const Insert&) = delete;

    Result<void> failed() const {
        if (const char* text = chdb_.chdb_stream_insert_error(stream_); text != nullptr)
            return std::unexpected(engine_error(text, EngineUse::writing));
        return {};
    }
    Result<void> append(std::string_view bytes) {
        if (chdb_.chdb_stream_append(stream_, bytes.data(), bytes.size()) == 0) return {};
        OBS_TRY_VOID(failed());
        return fail(ErrorKind::unavailable, "the engine took no bytes");
    }
    Result<void> commit() {
        const Answer answer(chdb_, chdb_.chdb_stream_done(stream_));
        if (answer.error() != nullptr)
            return std::unexpected(engine_error(answer.error(), EngineUse::writing));
        return {};
    }

private:
    const libchdb::Functions& chdb_;
    libchdb::InsertStream* stream_;
};

using Session = std::unique_ptr<libchdb::Session*, std::function<void(libchdb::Session**)>>;

Result<Session> connect_to(const libchdb::Functions& chdb, std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    const KeepSignalMask mask;
    libchdb::Session** session = chdb.chdb_connect(static_cast<int>(argv.size()), argv.data());
    if (session == nullptr)
        return fail(ErrorKind::unavailable, "the engine refuses to open (its reason is on standard error)");
    return Session(session, [&chdb](libchdb::Session** open) { chdb.chdb_close_conn(open); });
}

class OpenEngine;

class OpenConnection final : public EngineConnection {
public:
    OpenConnection(std::shared_ptr<const OpenEngine> engine, const libchdb::Functions& chdb, Session session)
        : engine_(std::move(engine)), chdb_(chdb), session_(std::move(session)) {}

    Result<EngineAnswer> query(const Statement& statement, std::string_view format) override {
        if (leftovers_) OBS_TRY_VOID(rinse());
        Result<EngineAnswer> answer = answered(statement, format);
        if (answer) return answer;
        leftovers_ = true;
        // When this fails too it is tried again before the next statement.
        if (const auto rinsed = rinse(); !rinsed) log::warning("store: {}", rinsed.error().message);
        return answer;
    }

    Result<void> stream(const Statement& statement,
                        const std::function<Result<bool>(std::string_view)>& sink) override {
        if (leftovers_) OBS_TRY_VOID(rinse());
        constexpr std::string_view format = "Native";
        const Parameters bound(statement);
        const Answer stream(chdb_, chdb_.chdb_stream_query_with_params_n(
                                       *session_, statement.sql.data(), statement.sql.size(), format.data(),
                                       format.size(), bound.name_pointers.data(), bound.name_sizes.data(),
                                       bound.value_pointers.data(), bound.value_sizes.data(), bound.count()));
        if (stream.error() != nullptr)
            return std::unexpected(engine_error(stream.error(), EngineUse::reading));
        for (;;) {
            const Answer piece(chdb_, chdb_.chdb_stream_fetch_result(*session_, stream.get()));
            if (piece.error() != nullptr)
                return std::unexpected(engine_error(piece.error(), EngineUse::reading));
            if (piece.bytes().empty()) return {};
            const Result<bool> more = sink(piece.bytes());
            if (!more || !*more) {
                chdb_.chdb_stream_cancel_query(*session_, stream.get());
                if (!more) return std::unexpected(more.error());
                return {};
            }
        }
    }

    Result<void> insert(std::string_view sql, std::string_view native) override {
        if (leftovers_) OBS_TRY_VOID(rinse());
        constexpr std::string_view format = "Native";
        Insert insert(chdb_, chdb_.chdb_stream_insert_n(*session_, sql.data(), sql.size(), format.data(),
                                                        format.size()));
        OBS_TRY_VOID(insert.failed());
        OBS_TRY_VOID(insert.append(native));
        return insert.commit();
    }

private:
    Result<EngineAnswer> answered(const Statement& statement, std::string_view format) {
        const Parameters bound(statement);
        const Answer answer(chdb_, chdb_.chdb_query_with_params_n(
                                       *session_, statement.sql.data(), statement.sql.size(), format.data(),
                                       format.size(), bound.name_pointers.data(), bound.name_sizes.data(),
                                       bound.value_pointers.data(), bound.value_sizes.data(), bound.count()));
        if (answer.error() != nullptr)
            return std::unexpected(engine_error(answer.error(), EngineUse::reading));
        return EngineAnswer{std::string(answer.bytes()), chdb_.chdb_result_storage_rows_read(answer.get())};
    }

    // What a statement had answered before it failed the engine keeps, and hands out in place of the next
    // answer: rows that somebody else asked for. So it is asked until it says what it was asked.
    Result<void> rinse() {
        constexpr int most_tries = 4;
        for (int tries = 0; tries < most_tries; ++tries) {
            const auto answer = answered({"SELECT 'rinsed'"}, "TSVRaw");
            if (!answer || answer->bytes != "rinsed\n") continue;
            leftovers_ = false;
            return {};
        }
        return fail(ErrorKind::unavailable, "a connection keeps what an earlier statement left in it");
    }

    std::shared_ptr<const OpenEngine> engine_;
    const libchdb::Functions& chdb_;
    Session session_;
    bool leftovers_ = false;  // the last statement failed, and nobody knows what is left of it
};

// Holds one connection, so that the engine does not stop while others come and go.
class OpenEngine final : public Engine, public std::enable_shared_from_this<OpenEngine> {
public:
    OpenEngine(const libchdb::Functions& chdb, std::string path, Session keeper)
        : chdb_(chdb), path_(std::move(path)), keeper_(std::move(keeper)) {}

    Result<std::unique_ptr<EngineConnection>> connect(const std::vector<std::string>& settings) override {
        std::vector<std::string> arguments = {"clickhouse", "--path=" + path_};
        for (const std::string& setting : settings) arguments.push_back("--" + setting);
        Session session = OBS_TRY(connect_to(chdb_, std::move(arguments)), "cannot connect to the engine");
        return std::make_unique<OpenConnection>(shared_from_this(), chdb_, std::move(session));
    }
    std::string version() const override { return chdb_.chdb_version(); }

private:
    const libchdb::Functions& chdb_;
    std::string path_;
    Session keeper_;
};

}  // namespace

Result<std::shared_ptr<Engine>> Engine::open(const Options& options) {
    // A relative path is doubled by the engine where it fsyncs directories.
    const std::filesystem::path directory = std::filesystem::absolute(options.directory);
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (failed)
        return fail(ErrorKind::unavailable, "cannot make {}: {}", directory.string(), failed.message());

    const std::filesystem::path users = directory / "users.xml", config = directory / "engine.xml";
    OBS_TRY_VOID(write_file(users, users_text));
    OBS_TRY_VOID(write_file(
        config, fmt::format(fmt::runtime(config_text), fmt::arg("users", xml_escaped(users.string())))));

    const libchdb::Functions* chdb = OBS_TRY(load(options.library));
    const std::string path = (directory / "data").string();
    std::vector<std::string> arguments = {
        "clickhouse",
        "--path=" + path,
        "--config-file=" + config.string(),
        "--mark_cache_size=67108864",
        "--index_mark_cache_size=67108864",
        "--index_uncompressed_cache_size=67108864",
        "--primary_index_cache_size=67108864",
        "--max_active_parts_loading_thread_pool_size=4",
        "--max_io_thread_pool_size=8",
        "--logger.level=none",
        "--log-level=none",
    };
    if (options.memory != 0) arguments.push_back(fmt::format("--max_server_memory_usage={}", options.memory));
    Session keeper = OBS_TRY(connect_to(*chdb, std::move(arguments)), "cannot open {}", path);
    return std::make_shared<OpenEngine>(*chdb, path, std::move(keeper));
}

Error engine_error(std::string_view text, EngineUse use) {
    constexpr std::string_view prefix = "Code: ";
    int code = 0;
    if (const std::size_t at = text.find(prefix); at != std::string_view::npos)
        std::from_chars(text.data() + at + prefix.size(), text.data() + text.size(), code);
    // Behind this the text may go on for kilobytes.
    constexpr std::size_t shown = 500;
    const std::string message = fmt::format("engine: {}", text.substr(0, shown));
    switch (code) {
        case 241:  // MEMORY_LIMIT_EXCEEDED
        case 252:  // TOO_MANY_PARTS
        case 202:  // TOO_MANY_SIMULTANEOUS_QUERIES
            return {ErrorKind::overloaded, message, {}};
        case 159:  // TIMEOUT_EXCEEDED
        case 394:  // QUERY_WAS_CANCELLED
        case 734:  // QUERY_WAS_CANCELLED_BY_CLIENT
            return {ErrorKind::cancelled, message, {}};
        case 158:  // TOO_MANY_ROWS
        case 307:  // TOO_MANY_BYTES
        case 396:  // TOO_MANY_ROWS_OR_BYTES
            return {ErrorKind::too_large, message, {}};
        case 40:   // CHECKSUM_DOESNT_MATCH
        case 271:  // CANNOT_DECOMPRESS
            return {ErrorKind::corrupt, message, {}};
        case 6:    // CANNOT_PARSE_TEXT
        case 33:   // CANNOT_READ_ALL_DATA
        case 53:   // TYPE_MISMATCH
        case 69:   // ARGUMENT_OUT_OF_BOUND
        case 117:  // INCORRECT_DATA
        case 131:  // TOO_LARGE_STRING_SIZE
        case 407:  // DECIMAL_OVERFLOW
        case 427:  // CANNOT_COMPILE_REGEXP
            return {ErrorKind::invalid_input, message, {}};
        case 243:  // NOT_ENOUGH_SPACE
        case 75:   // CANNOT_WRITE_TO_FILE_DESCRIPTOR
        case 76:   // CANNOT_OPEN_FILE
        case 107:  // FILE_DOESNT_EXIST
        case 499:  // S3_ERROR
            return {ErrorKind::unavailable, message, {}};
        case 16:  // NO_SUCH_COLUMN_IN_TABLE
        case 47:  // UNKNOWN_IDENTIFIER
        case 60:  // UNKNOWN_TABLE
        case 62:  // SYNTAX_ERROR
            return {ErrorKind::internal, message, {}};
        default: break;
    }
    return {use == EngineUse::writing ? ErrorKind::unavailable : ErrorKind::internal, message, {}};
}

}  // namespace obs
