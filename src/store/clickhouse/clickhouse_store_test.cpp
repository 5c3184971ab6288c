#include "store/clickhouse/clickhouse_store.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/native.h"
#include "model/random_batches.h"
#include "store/clickhouse/embedded_transport.h"
#include "store/clickhouse/keys_first.h"
#include "store/clickhouse/migrations.h"
#include "store/contract_test.h"

namespace obs {
namespace {

std::filesystem::path engine_library() {
    const char* set = std::getenv("OBS_ENGINE_LIBRARY");
    return set != nullptr ? set : "build/lib/libchdb.so";
}

// One engine for the whole program, over a directory that goes with it. Both go before main returns.
class TestEngine : public testing::Environment {
public:
    static TestEngine& instance() {
        static auto* engine = dynamic_cast<TestEngine*>(testing::AddGlobalTestEnvironment(new TestEngine));
        return *engine;
    }

    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "store_clickhouse_XXXXXX").string();
        directory = mkdtemp(name.data());
        auto opened = Engine::open({.library = engine_library(), .directory = directory});
        if (!opened) FAIL() << opened.error().message;
        engine = *std::move(opened);
    }
    void TearDown() override {
        shared.reset();
        engine.reset();
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
    }

    std::filesystem::path directory;
    std::shared_ptr<Engine> engine;
    std::shared_ptr<SpanStore> shared;  // of the tests that need no database of their own
};
[[maybe_unused]] const TestEngine& registered = TestEngine::instance();

std::shared_ptr<SpanStore> make_store(const std::string& database) {
    const std::shared_ptr<Engine> engine = TestEngine::instance().engine;
    if (engine == nullptr) return nullptr;
    auto transport = embedded_transport(engine, {.database = database});
    if (!transport) {
        ADD_FAILURE() << transport.error().message;
        return nullptr;
    }
    std::shared_ptr<SpanStore> store = clickhouse_store(*std::move(transport));
    if (const auto migrated = store->migrate(); !migrated) {
        ADD_FAILURE() << migrated.error().message;
        return nullptr;
    }
    return store;
}

std::shared_ptr<SpanStore> shared_store() {
    std::shared_ptr<SpanStore>& store = TestEngine::instance().shared;
    if (store == nullptr) store = make_store("contract");
    return store;
}

// ---------------------------------------------------------------------------------------------------------
// The engine

using testing::HasSubstr;

std::unique_ptr<EngineConnection> connect(const std::string& database) {
    auto connection = TestEngine::instance().engine->connect({});
    if (!connection) return nullptr;
    static_cast<void>((*connection)->query({fmt::format("CREATE DATABASE IF NOT EXISTS {}", database)}));
    static_cast<void>((*connection)->query({fmt::format("USE {}", database)}));
    return *std::move(connection);
}

std::string tsv(EngineConnection& connection, const Statement& statement) {
    const auto answer = connection.query(statement, "TSV");
    return answer ? answer->bytes : answer.error().message;
}

// The engine keeps what a statement had answered before it failed, and hands it out in place of the next
// answer.
TEST(ClickHouseEngine, showsNothingOfAnAnswerThatFailed) {
    const auto sql = connect("leftovers");
    const auto fail = [&](std::string_view settings) {
        EXPECT_FALSE(
            sql->query({fmt::format("SELECT number AS secret, sleepEachRow(0.001), throwIf(number = "
                                    "500) FROM numbers(1000) SETTINGS max_block_size = 5, {}",
                                    settings)}));
    };
    for (const char* settings : {"max_threads = 1", "max_execution_time = 0.1"}) {
        fail(settings);
        EXPECT_EQ(tsv(*sql, {"SELECT 42"}), "42\n") << settings;
        fail(settings);
        std::string streamed;
        ASSERT_TRUE(sql->stream({"SELECT 'mine' AS x"}, [&](std::string_view piece) -> Result<bool> {
            streamed += piece;
            return true;
        }));
        EXPECT_THAT(streamed, HasSubstr("mine"));
        EXPECT_THAT(streamed, testing::Not(HasSubstr("secret"))) << settings;
    }
}

TEST(ClickHouseSchema, hasTheColumnsOfTheModel) {
    const auto store = make_store("schema");
    const auto sql = connect("schema");
    for (const TableId table : all_tables) {
        std::string expected;
        for (const NativeColumn& column : native_columns(table))
            expected += fmt::format("{}\t{}\n", column.name, column.type);
        EXPECT_EQ(
            tsv(*sql, {"SELECT name, replaceAll(type, '\\'', '\\'') FROM system.columns WHERE database = "
                       "'schema' AND table = {p0:String} ORDER BY position FORMAT TSVRaw",
                       {std::string(table_name(table))}}),
            expected);
    }
}

TEST(ClickHouseSchema, holdsNewContentForEveryColumnThatComesWithIt) {
    const auto store = make_store("schema");
    const auto sql = connect("schema");
    std::string expected;
    for (const ColumnInfo& column : columns_of(TableId::spans))
        if (column.has(content) || column.has(with_content)) expected += fmt::format("{}\n", column.name);
    EXPECT_EQ(
        tsv(*sql, {"SELECT name FROM system.columns WHERE database = 'schema' AND table = "
                   "'amended_content' AND name NOT IN ('ts', 'trace_id', 'span_id') ORDER BY position"}),
        expected);
}

TEST(ClickHouseSchema, isMigratedOnceAndNeverBackwards) {
    const auto store = make_store("versions");
    ASSERT_TRUE(store->migrate());
    const auto sql = connect("versions");
    EXPECT_EQ(tsv(*sql, {"SELECT count() = max(number) FROM schema_migrations"}), "1\n");
    tsv(*sql, {"INSERT INTO schema_migrations VALUES (9999, 'of the future')"});
    const auto again = store->migrate();
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().message, HasSubstr("version 9999"));
}

TEST(ClickHouseMigrations, areNumberedWithoutGaps) {
    int next = 1;
    for (const Migration& migration : clickhouse_migrations()) EXPECT_EQ(migration.number, next++);
}

struct SqlFile {
    std::string_view what, sql;
    std::vector<std::string_view> statements;
};
TEST(ClickHouseMigrations, areCutAtSemicolonsThatEndALine) {
    const SqlFile cases[] = {
        {"nothing", "", {}},
        {"comments alone", "-- one;\n\n-- two", {}},
        {"the last without a semicolon", "SELECT 1;\nSELECT 2", {"SELECT 1", "SELECT 2"}},
        {"a semicolon within a line", "SELECT ';'\n, 1;\n", {"SELECT ';'\n, 1"}},
        {"a comment before", "-- why\nSELECT 1;\n", {"SELECT 1"}},
    };
    for (const SqlFile& test : cases) EXPECT_EQ(statements_of(test.sql), test.statements) << test.what;
}

template <class Batch>
class NativeInEngine : public testing::Test {};
using Batches = testing::Types<SpanBatch, LogBatch, MetricBatch, ScoreBatch>;
TYPED_TEST_SUITE(NativeInEngine, Batches);

// Days and numbers that every column type of the engine can hold.
template <class Batch>
Batch storable(std::uint64_t seed, std::size_t rows) {
    auto batch = random_batch<Batch>(seed, rows);
    for (std::size_t row = 0; row < rows; ++row)
        batch.ts.set(row, UnixNanos{1'763'942'400'000'000'000 + static_cast<std::int64_t>(row)});
    // A score without a name takes one back.
    if constexpr (std::is_same_v<Batch, ScoreBatch>)
        for (std::size_t row = 0; row < rows; ++row)
            if (batch.name[row].empty()) batch.name.set(row, "n");
    return batch;
}

TYPED_TEST(NativeInEngine, comesBackAsItWentIn) {
    const auto store = make_store("native");
    const auto sql = connect("native");
    const std::string_view table = table_name(TypeParam::table);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        tsv(*sql, {fmt::format("TRUNCATE TABLE {}", table)});
        auto wrote = storable<TypeParam>(seed, 1 + seed % 5);
        ASSERT_TRUE(store->write(AnyBatch(wrote), fmt::format("native-{}-{}", table, seed)));
        for (const std::string_view low_cardinality : {"0", "1"}) {
            const auto answer =
                sql->query({fmt::format("SELECT * FROM {} ORDER BY ts SETTINGS "
                                        "low_cardinality_allow_in_native_format = {}",
                                        table, low_cardinality)});
            ASSERT_TRUE(answer) << answer.error().message;
            AnyBatch read = TypeParam();
            const auto parsed = read_native(answer->bytes, read);
            ASSERT_TRUE(parsed) << parsed.error().message;
            EXPECT_THAT(differing_columns(wrote, std::get<TypeParam>(read)), testing::IsEmpty()) << seed;
        }
    }
}

TEST(ClickHouseEngine, readsNoFilesAndOpensNoSockets) {
    const auto sql = connect("safety");
    for (const std::string_view statement : {
             "SELECT * FROM file('/etc/hostname', 'LineAsString')",
             "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
             "SELECT * FROM remote('127.0.0.1', 'system.one')",
             "INSERT INTO FUNCTION file('/tmp/never', 'CSV') SELECT 1",
         })
        EXPECT_THAT(tsv(*sql, {std::string(statement)}), HasSubstr("ACCESS_DENIED")) << statement;
}

TEST(ClickHouseEngine, keepsWhatMakesRowsDurable) {
    const auto store = make_store("schema");
    const auto sql = connect("schema");
    EXPECT_EQ(
        tsv(*sql,
            {"SELECT name, value FROM system.merge_tree_settings WHERE name IN ('fsync_after_insert', "
             "'fsync_part_directory', 'min_rows_to_fsync_after_merge', 'old_parts_lifetime') ORDER BY name"}),
        "fsync_after_insert\t1\nfsync_part_directory\t1\nmin_rows_to_fsync_after_merge\t1\nold_parts_"
        "lifetime\t60\n");
}

TEST(ClickHouseEngine, doesNotTouchSignals) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    EXPECT_FALSE(sigismember(&blocked, SIGPIPE));
    for (const int signal : {SIGSEGV, SIGABRT, SIGINT, SIGTERM}) {
        struct sigaction action{};
        sigaction(signal, nullptr, &action);
        EXPECT_EQ(action.sa_handler, SIG_DFL) << signal;
    }
}

test::TestRow stored_span(std::string_view name, std::chrono::nanoseconds after_noon) {
    return test::span(name).set("org_id", "o").project("p").at(after_noon);
}

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

ParquetColumn parquet_column(std::string_view name) {
    return {std::string(name), {test::field(name)}};
}

class ParquetOfTheEngine : public testing::Test {
protected:
    void SetUp() override {
        using namespace std::chrono_literals;
        store_ = make_store("parquet");
        file_.path = TestEngine::instance().directory / "it's a file.parquet";
        std::vector<test::TestRow> rows;
        for (int i = 0; i < 5; ++i)
            rows.push_back(stored_span(fmt::format("s{}", i), i * 1s).input(std::string(1000, 'x')));
        ASSERT_TRUE(store_->write(test::batch_of(rows), "parquet-1"));
        question_.limit = 0;
        for (const std::string_view name :
             {"ts", "trace_id", "input_text", "total_cost", "tags", "attributes"})
            file_.columns.push_back(parquet_column(name));
    }
    Result<void> write(const Cancel& cancel = {}) {
        return store_->write_parquet(question_, file_, [](std::uint64_t) { return true; }, cancel);
    }

    std::shared_ptr<SpanStore> store_;
    RowQuestion question_{Scope("o", {"p"})};
    ParquetFile file_;
};

TEST_F(ParquetOfTheEngine, replacesTheFile) {
    std::ofstream(file_.path) << "what was there";
    const auto wrote = write();
    ASSERT_TRUE(wrote) << wrote.error().message;
    const std::string bytes = content_of(file_.path);
    EXPECT_TRUE(bytes.starts_with("PAR1") && bytes.ends_with("PAR1")) << bytes.size();
}

TEST_F(ParquetOfTheEngine, isSmallerWhenCompressed) {
    ASSERT_TRUE(write());
    const auto plain = std::filesystem::file_size(file_.path);
    for (const ParquetCodec codec : {ParquetCodec::gzip, ParquetCodec::zstd}) {
        file_.codec = codec;
        ASSERT_TRUE(write());
        EXPECT_LT(std::filesystem::file_size(file_.path), plain) << static_cast<int>(codec);
    }
}

TEST_F(ParquetOfTheEngine, saysWhereItCannotWrite) {
    file_.path = TestEngine::instance().directory / "no such directory" / "file.parquet";
    const auto wrote = write();
    ASSERT_FALSE(wrote);
    EXPECT_EQ(wrote.error().kind, ErrorKind::unavailable) << wrote.error().message;
}

TEST_F(ParquetOfTheEngine, isGivenUpWhenTheCallerDoes) {
    std::stop_source stop;
    stop.request_stop();
    const auto wrote = write({.stop = stop.get_token()});
    ASSERT_FALSE(wrote);
    EXPECT_EQ(wrote.error().kind, ErrorKind::cancelled);
}

TEST(ClickHouseStore, forgottenDaysLeaveNoAmendedColumns) {
    using namespace std::chrono_literals;
    const auto store = make_store("forgotten");
    const auto sql = connect("forgotten");
    Amendments amendments;
    amendments.org = "o";
    amendments.project = "p";
    for (const std::chrono::hours day : {0h, 24h, 48h}) {
        const test::TestRow rows[] = {stored_span(fmt::format("s{}", day.count()), day)};
        ASSERT_TRUE(store->write(test::batch_of(rows), fmt::format("day-{}", day.count())));
        amendments.to_root.push_back({rows[0].ts(),
                                      *TraceId::from_bytes(std::get<std::string>(*rows[0].get("trace_id"))),
                                      *SpanId::from_bytes(std::get<std::string>(*rows[0].get("span_id")))});
    }
    ASSERT_TRUE(store->amend(amendments));
    const std::string_view parts =
        "SELECT startsWith(partition_id, 'patch-'), count() FROM system.parts WHERE active AND rows > 0 AND "
        "database = 'forgotten' AND table = 'spans' GROUP BY 1 ORDER BY 1";
    ASSERT_EQ(tsv(*sql, {std::string(parts)}), "0\t3\n1\t3\n");
    Forget old;
    old.before = test::noon + Nanos::hours(36);
    const auto forgotten = store->forget(old);
    ASSERT_TRUE(forgotten) << forgotten.error().message;
    EXPECT_EQ(tsv(*sql, {std::string(parts)}), "0\t1\n1\t1\n");
}

TEST(ClickHouseStore, leavesNoAmendedTextOfWhatIsErased) {
    const auto store = make_store("erased");
    const auto sql = connect("erased");
    const auto row = [](std::string_view name, std::string_view user) {
        return stored_span(name, {}).set("user_id", std::string(user));
    };
    const std::vector<test::TestRow> came = {row("a", "ann"), row("b", "bob")};
    const std::vector<test::TestRow> amended = {row("a", "ann").input("of ann"),
                                                row("b", "bob").input("of bob")};
    ASSERT_TRUE(store->write(test::batch_of(came), "one"));
    Amendments amendments;
    amendments.org = "o";
    amendments.project = "p";
    amendments.content = std::get<SpanBatch>(test::batch_of(amended));
    ASSERT_TRUE(store->amend(amendments));
    const std::string_view patches =
        "SELECT count() FROM system.parts WHERE active AND rows > 0 AND startsWith(partition_id, 'patch-') "
        "AND "
        "database = 'erased' AND table = 'spans'";
    ASSERT_EQ(tsv(*sql, {std::string(patches)}), "1\n");
    Forget ann;
    ann.user_id = "ann";
    ASSERT_TRUE(store->forget(ann));
    EXPECT_EQ(tsv(*sql, {"SELECT input_text FROM spans"}), "of bob\n");
    EXPECT_EQ(tsv(*sql, {std::string(patches)}), "0\n");
    Forget texts;
    texts.what = Forget::What::content;
    ASSERT_TRUE(store->amend(amendments));
    ASSERT_TRUE(store->forget(texts));
    EXPECT_EQ(tsv(*sql, {"SELECT span_name, input_text FROM spans"}), "b\t\n");
    EXPECT_EQ(tsv(*sql, {std::string(patches)}), "0\n");
}

TEST(KeysFirst, areAskedForWhenManyColumnsOfFewRowsAreWanted) {
    const auto some = [](std::size_t count) {
        std::vector<const ColumnInfo*> columns;
        for (const ColumnInfo& column : columns_of(TableId::spans).first(count)) columns.push_back(&column);
        return columns;
    };
    RowQuestion question(Scope("o", {"p"}));
    for (const std::size_t columns : {0, 17}) {
        question.columns = some(columns);
        const auto keys = question_for_keys(question);
        ASSERT_TRUE(keys) << columns;
        EXPECT_EQ(keys->columns, std::vector{find_column(TableId::spans, "ts")});
        EXPECT_EQ(keys->limit, question.limit);
    }
    question.columns = some(16);
    EXPECT_FALSE(question_for_keys(question));
    question.columns.clear();
    for (const std::size_t limit : {0, 1001}) {
        question.limit = limit;
        question.filter = {};
        EXPECT_FALSE(question_for_keys(question)) << limit;
        question.filter = test::where("trace_id", Operator::eq, {test::trace_bytes("t")});
        ASSERT_TRUE(question_for_keys(question)) << limit;
        EXPECT_EQ(question_for_keys(question)->limit, 1000u) << limit;
    }
}

TEST(KeysFirst, findTheSameRows) {
    using namespace std::chrono_literals;
    const auto store = make_store("keys");
    std::vector<test::TestRow> rows;
    for (int i = 0; i < 3000; ++i)
        rows.push_back(stored_span(fmt::format("s{}", i), std::chrono::milliseconds(i / 2))
                           .model(i % 100 == 0 ? "rare" : "common"));
    ASSERT_TRUE(store->write(test::batch_of(rows), "keys"));
    RowQuestion question(Scope("o", {"p"}));
    question.filter = test::where("model", Operator::eq, {"rare"});
    const auto keys = store->rows(*question_for_keys(question), {});
    ASSERT_TRUE(keys) << keys.error().message;
    ASSERT_EQ(size_of(keys->batch), 30u);
    const auto found = store->rows(*question_for_rows(question, keys->batch), {});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(size_of(found->batch), 30u);
}

struct ErrorCase {
    std::string_view what, text;
    EngineUse use;
    ErrorKind kind;
};
TEST(ClickHouseEngine, itsErrorsSayWhatTheCallerCanDo) {
    const ErrorCase cases[] = {
        {"no space", "Code: 243. DB::Exception: Cannot reserve 2 MiB", EngineUse::writing,
         ErrorKind::unavailable},
        {"no memory", "Code: 241. DB::Exception: Memory limit", EngineUse::reading, ErrorKind::overloaded},
        {"too many parts", "Code: 252. DB::Exception: Too many parts", EngineUse::writing,
         ErrorKind::overloaded},
        {"out of time", "Code: 159. DB::Exception: Timeout", EngineUse::reading, ErrorKind::cancelled},
        {"killed", "Code: 394. DB::Exception: Query was cancelled", EngineUse::reading, ErrorKind::cancelled},
        {"bad data", "Code: 33. DB::Exception: Cannot read all data", EngineUse::writing,
         ErrorKind::invalid_input},
        {"unknown, reading", "Code: 62. DB::Exception: Syntax error", EngineUse::reading,
         ErrorKind::internal},
        {"unknown, writing", "Code: 999. DB::Exception: ?", EngineUse::writing, ErrorKind::unavailable},
        {"no code", "something", EngineUse::writing, ErrorKind::unavailable},
    };
    for (const ErrorCase& test : cases)
        EXPECT_EQ(engine_error(test.text, test.use).kind, test.kind) << test.what;
}

TEST(ClickHouseTransport, aQuestionEndsWhenItIsGivenUp) {
    auto transport = embedded_transport(TestEngine::instance().engine, {.database = "cancel", .readers = 1});
    ASSERT_TRUE(transport) << transport.error().message;
    // Longer than any test: it must be ended.
    const Statement endless{"SELECT sleepEachRow(1) FROM numbers(3600)", {}, {"max_block_size = 1"}};
    std::stop_source stop;
    std::thread asker([&] {
        const auto answer = (*transport)->ask(endless, {.stop = stop.get_token()});
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().kind, ErrorKind::cancelled) << answer.error().message;
    });
    const auto sql = connect("cancel");
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (
        tsv(*sql,
            {"SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow(1)%' AND query NOT LIKE "
             "'%processes%'"}) == "0\n" &&
        std::chrono::steady_clock::now() < give_up)
        std::this_thread::yield();
    stop.request_stop();
    asker.join();
    // And at its deadline.
    const auto late =
        (*transport)
            ->ask(endless,
                  {.stop = {}, .deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20)});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::cancelled) << late.error().message;
}

}  // namespace
}  // namespace obs

namespace obs::test {
namespace {

INSTANTIATE_TEST_SUITE_P(ClickHouse, StoreContract, testing::Values(StoreMaker{"embedded", shared_store}),
                         store_name);

}  // namespace
}  // namespace obs::test
