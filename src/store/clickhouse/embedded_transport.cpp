#include "store/clickhouse/embedded_transport.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"

namespace obs {

namespace {

using Connection = std::unique_ptr<EngineConnection>;

constexpr auto watch_every = std::chrono::milliseconds(500);

// Connections that wait for a question.
class Pool {
public:
    explicit Pool(std::vector<Connection> connections) : free_(std::move(connections)) {}

    // Gives its connection back when it goes.
    class Lease {
    public:
        Lease(Pool& pool, Connection connection) : pool_(&pool), connection_(std::move(connection)) {}
        Lease(Lease&& other) noexcept = default;
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (connection_) pool_->put(std::move(connection_));
        }
        EngineConnection& operator*() const { return *connection_; }

    private:
        Pool* pool_;
        Connection connection_;
    };

    Result<Lease> take(const Cancel& cancel) {
        std::unique_lock lock(mutex_);
        const auto ready = [&] { return !free_.empty(); };
        const bool got = cancel.deadline == std::chrono::steady_clock::time_point::max()
                             ? given_.wait(lock, cancel.stop, ready)
                             : given_.wait_until(lock, cancel.stop, cancel.deadline, ready);
        if (!got) return fail(ErrorKind::cancelled, "no connection to the store came free in time");
        Connection connection = std::move(free_.back());
        free_.pop_back();
        return Lease(*this, std::move(connection));
    }

private:
    void put(Connection connection) {
        {
            const std::lock_guard lock(mutex_);
            free_.push_back(std::move(connection));
        }
        given_.notify_one();
    }

    std::mutex mutex_;
    std::condition_variable_any given_;
    std::vector<Connection> free_;
};

Statement with_settings(Statement statement) {
    if (!statement.settings.empty())
        statement.sql += fmt::format(" SETTINGS {}", fmt::join(statement.settings, ", "));
    return statement;
}

class EmbeddedTransport final : public Transport {
public:
    EmbeddedTransport(Connection writer, Connection rewriter, Connection admin,
                      std::vector<Connection> readers, std::vector<Connection> files)
        : writer_(std::move(writer)),
          rewriter_(std::move(rewriter)),
          admin_(std::move(admin)),
          readers_(std::move(readers)),
          files_(std::move(files)) {}

    Result<void> execute(const Statement& statement) override {
        const std::lock_guard lock(writing_);
        OBS_TRY(writer_->query(with_settings(statement)));
        return {};
    }

    Result<void> rewrite(const Statement& statement, const Cancel& cancel) override {
        const std::lock_guard lock(rewriting_);
        if (!cancel.stop.stop_possible() && cancel.deadline == std::chrono::steady_clock::time_point::max()) {
            OBS_TRY(rewriter_->query(with_settings(statement)));
            return {};
        }
        const Watched watched(*this, statement, cancel);
        if (cancel.due()) return fail(ErrorKind::cancelled, "the rewriting was given up");
        OBS_TRY(rewriter_->query(watched.statement));
        return {};
    }

    Result<void> insert(std::string_view target, std::string_view token, std::string_view native) override {
        std::string sql = fmt::format("INSERT INTO {}", target);
        if (!token.empty()) sql += fmt::format(" SETTINGS insert_deduplication_token = '{}'", token);
        const std::lock_guard lock(writing_);
        return writer_->insert(sql, native);
    }

    Result<Answer> ask(const Statement& statement, const Cancel& cancel) override {
        const Pool::Lease reader = OBS_TRY(readers_.take(cancel));
        const Watched watched(*this, statement, cancel);
        if (cancel.due()) return fail(ErrorKind::cancelled, "the question was given up");
        EngineAnswer answer = OBS_TRY((*reader).query(watched.statement));
        return Answer{std::move(answer.bytes), answer.rows_read};
    }

    Result<void> stream(const Statement& statement, const std::function<Result<bool>(std::string_view)>& sink,
                        const Cancel& cancel) override {
        return stream_over(readers_, statement, sink, cancel);
    }

    Result<void> stream_slowly(const Statement& statement,
                               const std::function<Result<bool>(std::string_view)>& sink,
                               const Cancel& cancel) override {
        return stream_over(files_, statement, sink, cancel);
    }

    Result<void> write_file(const Statement& statement,
                            const std::function<bool(std::uint64_t rows_read)>& going_on,
                            const Cancel& cancel) override {
        const Pool::Lease connection = OBS_TRY(files_.take(cancel));
        const Watched watched(*this, statement, cancel);
        if (cancel.due()) return fail(ErrorKind::cancelled, "the file was given up");
        const std::jthread watcher([&](const std::stop_token& done) { watch(watched.name, going_on, done); });
        OBS_TRY((*connection).query(watched.statement));
        return {};
    }

private:
    Result<void> stream_over(Pool& pool, const Statement& statement,
                             const std::function<Result<bool>(std::string_view)>& sink,
                             const Cancel& cancel) {
        const Pool::Lease reader = OBS_TRY(pool.take(cancel));
        const Watched watched(*this, statement, cancel);
        if (cancel.due()) return fail(ErrorKind::cancelled, "the question was given up");
        return (*reader).stream(watched.statement, sink);
    }

    void watch(const std::string& name, const std::function<bool(std::uint64_t)>& going_on,
               const std::stop_token& done) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        while (!never.wait_for(lock, done, watch_every, [&] { return done.stop_requested(); }))
            if (!going_on(rows_read(name))) return kill(name);
    }

    std::uint64_t rows_read(const std::string& name) {
        const std::lock_guard lock(admin_mutex_);
        const auto answer = admin_->query(
            {fmt::format("SELECT max(read_rows) FROM system.processes WHERE Settings['log_comment'] = '{}'",
                         name)},
            "TSV");
        std::uint64_t rows = 0;
        if (answer) std::from_chars(answer->bytes.data(), answer->bytes.data() + answer->bytes.size(), rows);
        return rows;
    }

    // A statement that the engine ends at the deadline, or when the caller asks for it.
    struct Watched {
        Watched(EmbeddedTransport& transport, const Statement& asked, const Cancel& cancel)
            : name(fmt::format("q{}", transport.next_name_.fetch_add(1))),
              statement(with_settings(limited(asked, name, cancel))),
              on_stop(cancel.stop, Kill{transport, name}) {}
        static Statement limited(Statement asked, const std::string& name, const Cancel& cancel) {
            asked.settings.push_back(fmt::format("log_comment = '{}'", name));
            if (cancel.deadline != std::chrono::steady_clock::time_point::max()) {
                const std::chrono::duration<double> left = cancel.deadline - std::chrono::steady_clock::now();
                asked.settings.push_back(
                    fmt::format("max_execution_time = {:.3f}", std::max(left.count(), 0.001)));
            }
            return asked;
        }
        struct Kill {
            EmbeddedTransport& transport;
            std::string name;
            void operator()() const { transport.kill(name); }
        };

        std::string name;
        Statement statement;
        std::stop_callback<Kill> on_stop;
    };

    // SYNC would wait for ever: an ended query stays listed until its connection runs another.
    void kill(const std::string& name) {
        const std::lock_guard lock(admin_mutex_);
        const auto killed =
            admin_->query({fmt::format("KILL QUERY WHERE Settings['log_comment'] = '{}' ASYNC", name)});
        // Then it goes on to its deadline.
        if (!killed) log::warning("store: cannot cancel a question: {}", killed.error().message);
    }

    std::mutex writing_;
    Connection writer_;
    std::mutex rewriting_;
    Connection rewriter_;
    std::mutex admin_mutex_;
    Connection admin_;
    Pool readers_, files_;
    std::atomic<std::uint64_t> next_name_ = 1;
};

Result<Connection> connect(Engine& engine, const EmbeddedOptions& options,
                           std::vector<std::string> settings) {
    // What the engine compiles after some runs of an expression is wrong for least() and greatest() of
    // 128-bit integers: the bounds of a sum became the sum.
    settings.emplace_back("compile_expressions=0");
    Connection connection = OBS_TRY(engine.connect(settings));
    OBS_TRY(connection->query({fmt::format("USE {}", options.database)}));
    return connection;
}

}  // namespace

Result<std::unique_ptr<Transport>> embedded_transport(std::shared_ptr<Engine> engine,
                                                      EmbeddedOptions options) {
    const Connection first = OBS_TRY(engine->connect({}));
    OBS_TRY(first->query({fmt::format("CREATE DATABASE IF NOT EXISTS {} ENGINE = Atomic", options.database)}),
            "cannot make database {}", options.database);

    // Plans go wrong only when someone else's `readonly = 2` session changes its settings; ours never does.
    // It is 2 and not 1 because each question sets its own deadline.
    std::vector<std::string> reading = {
        "readonly=2",
        fmt::format("max_threads={}", options.threads_per_question),
        // Else the engine leaves one thread to questions when it may use less than 1 GiB for each: what they
        // use is bounded below.
        "max_threads_min_free_memory_per_thread=0",
        "prefer_column_name_to_alias=1",
        "low_cardinality_allow_in_native_format=0",
        // Keeps conditions from being looked at before other columns are read.
        "use_top_k_dynamic_filtering=0",
        // Rows are found before their columns are read by the store itself, for less (keys_first.h).
        "query_plan_optimize_lazy_materialization=0",
    };
    if (options.memory_per_question != 0)
        reading.push_back(fmt::format("max_memory_usage={}", options.memory_per_question));
    std::vector<Connection> readers;
    for (int i = 0; i < options.readers; ++i) readers.push_back(OBS_TRY(connect(*engine, options, reading)));

    // Files of a million rows of any width, written beside everything else: small blocks and buffers, one
    // thread.
    std::vector<std::string> writing_files = reading;
    writing_files.insert(writing_files.end(), {
                                                  "max_threads=1",
                                                  "max_block_size=8192",
                                                  "max_read_buffer_size=131072",
                                                  fmt::format("max_memory_usage={}", options.memory_per_file),
                                                  "output_format_parquet_row_group_size=65536",
                                                  "output_format_parquet_row_group_size_bytes=16777216",
                                                  "output_format_parquet_parallel_encoding=0",
                                              });
    std::vector<Connection> files;
    files.push_back(OBS_TRY(connect(*engine, options, writing_files)));

    // Inserts of 10,000 rows are one block; more threads would only share its columns out.
    Connection writer = OBS_TRY(connect(*engine, options, {"max_threads=1", "max_insert_threads=1"}));
    Connection rewriter = OBS_TRY(connect(*engine, options, {"mutations_sync=1", "alter_sync=1"}));
    Connection admin = OBS_TRY(connect(*engine, options, {}));
    return std::make_unique<EmbeddedTransport>(std::move(writer), std::move(rewriter), std::move(admin),
                                               std::move(readers), std::move(files));
}

}  // namespace obs
