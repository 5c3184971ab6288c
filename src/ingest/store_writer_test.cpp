#include "ingest/store_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>
#include <random>
#include <set>

#include "ingest/test_bed.h"
#include "model/record.h"

namespace obs {
namespace {

namespace fs = std::filesystem;
using namespace obs::test;
using std::chrono::milliseconds;
using testing::HasSubstr;

// What goes wrong with a store, and what it was asked for.
class TroubledStore final : public SpanStore {
public:
    explicit TroubledStore(SpanStore& store) : store_(store) {}

    std::atomic<bool> away = false;            // takes nothing
    std::atomic<int> writes_left = 1'000'000;  // then it is away
    std::atomic<int> amends_left = 1'000'000;
    std::atomic<bool> loses_answers = false;  // does it, and then says that it did not
    std::string poison;                       // rows with this name can never be stored
    std::atomic<int> writes = 0, questions = 0;

    Result<void> migrate() override { return store_.migrate(); }
    Result<void> write(const AnyBatch& rows, std::string_view id) override {
        ++writes;
        if (!poison.empty())
            if (const auto* spans = std::get_if<SpanBatch>(&rows))
                for (std::size_t row = 0; row < spans->size(); ++row)
                    if (spans->span_name[row] == poison) return fail(ErrorKind::invalid_input, "poison");
        return attempt(writes_left, [&] { return store_.write(rows, id); });
    }
    Result<void> amend(const Amendments& amendments) override {
        return attempt(amends_left, [&] { return store_.amend(amendments); });
    }
    Result<Rows> rows(const RowQuestion& question, const Cancel& cancel) override {
        ++questions;
        if (away) return fail(ErrorKind::unavailable, "the store is away");
        return store_.rows(question, cancel);
    }
    Result<Table> groups(const GroupQuestion& question, const Cancel& cancel) override {
        return store_.groups(question, cancel);
    }
    Result<void> stream(const RowQuestion& question, const std::function<bool(AnyBatch)>& sink,
                        const Cancel& cancel) override {
        return store_.stream(question, sink, cancel);
    }
    Result<void> forget(const Forget& what) override { return store_.forget(what); }
    StoreHealth health() override { return store_.health(); }

private:
    Result<void> attempt(std::atomic<int>& left, const std::function<Result<void>()>& act) {
        if (away || left.load() == 0) {
            if (loses_answers && !std::exchange(lost_, true)) (void)act();
            return fail(ErrorKind::unavailable, "the store is away");
        }
        --left;
        return act();
    }

    SpanStore& store_;
    bool lost_ = false;
};

// One life of the program after the other on one directory; the store outlives them, as a disk does.
class StoreWriterTest : public testing::Test {
protected:
    StoreWriterTest() {
        fs::create_directory(directory_.path() / "journal");
        fs::create_directory(directory_.path() / "quarantine");
        options_.directory_id = "dir";
        options_.quarantine = directory_.path() / "quarantine";
        options_.gather = milliseconds(1);
        options_.confirm_every = milliseconds(0);
        options_.retry = options_.retry_at_most = milliseconds(1);
        options_.clock = [this] { return UnixNanos{now_.load()}; };
        start();
    }
    ~StoreWriterTest() override { crash(); }

    void start() {
        trouble_ = std::make_unique<TroubledStore>(store_);
        resends_ = std::make_unique<Resends>();
        ASSERT_TRUE(resends_->open(directory_.path(), UnixNanos{now_.load()}));
        open_ = std::make_unique<OpenTraces>(OpenTraces::Options{}, enricher());
        journal_ =
            Journal::open({.directory = directory_.path() / "journal", .segment_size = 1 << 20}).value();
        writer_ = std::make_unique<StoreWriter>(options_, *trouble_, *journal_, *open_, enricher());
        const auto recovered = writer_->recover(*resends_);
        ASSERT_TRUE(recovered) << recovered.error().message;
    }
    void run() { writer_->start(); }
    // Without a chance to write, to settle or to confirm anything more.
    void crash() {
        trouble_->away = true;
        writer_->stop(std::chrono::steady_clock::now());
        journal_.reset();
        writer_.reset();
    }
    void restart() {
        crash();
        start();
        run();
    }
    // In order, then started again.
    void stop_and_start() {
        EXPECT_TRUE(writer_->stop(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
        restart();
    }
    void pass(Nanos time) { now_ += time.count; }

    // What Ingest does with an acknowledged request.
    Sequence put(Payload payload) {
        payload.request = {++requests_, 1};
        std::string record;
        append_payload(record, payload);
        std::promise<Sequence> durable;
        journal_->submit(RecordKind::rows, record, [&](Result<Sequence> sequence) {
            Intake::Done done;
            resends_->begin(payload.request, UnixNanos{now_.load()}, done);
            resends_->finish(payload.request, true, UnixNanos{now_.load()});
            writer_->push(*sequence, payload, {});
            durable.set_value(*sequence);
        });
        return last_ = durable.get_future().get();
    }
    Sequence put(const std::vector<TestRow>& rows) {
        Payload payload;
        payload.spans = spans_of(rows);
        return put(std::move(payload));
    }
    Sequence put_content(const std::vector<TestRow>& rows) {
        Payload payload;
        payload.content = spans_of(rows);
        return put(std::move(payload));
    }
    Sequence put_log(std::string_view body) {
        Payload payload;
        payload.others.push_back(batch_of({{log(body).set("org_id", std::string("default"))}}));
        return put(std::move(payload));
    }
    bool all_visible() {
        return eventually([&] { return writer_->visible() >= last_; });
    }
    // All traces that are open now settle.
    bool settle() {
        return all_visible() && eventually([&] {
                   pass(Nanos::seconds(31));
                   return journal_->stats().confirmed >= last_;
               });
    }
    std::string stored() { return shown(stored_spans(store_)); }
    std::vector<std::string> logs() {
        RowQuestion question(Scope("default", {}));
        question.table = TableId::logs;
        question.limit = 10'000;
        std::vector<std::string> found;
        for (const TestRow& row : rows_of(store_.rows(question, {}).value().batch))
            found.push_back(std::get<std::string>(*row.get("body")));
        return found;
    }

    TempDirectory directory_;
    MemoryStore store_;
    StoreWriter::Options options_;
    std::atomic<std::int64_t> now_ = noon.since_epoch;
    std::uint64_t requests_ = 0;
    Sequence last_ = 0;
    std::unique_ptr<TroubledStore> trouble_;
    std::unique_ptr<Resends> resends_;
    std::unique_ptr<OpenTraces> open_;
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<StoreWriter> writer_;
};

// `number` spans of their own traces, one second apart.
std::vector<TestRow> spans_from(int first, int number) {
    std::vector<TestRow> rows;
    for (int at = first; at < first + number; ++at)
        rows.push_back(call("c", "")
                           .id(fmt::format("c{}", at))
                           .trace(fmt::format("t{}", at))
                           .at(std::chrono::seconds(at)));
    return rows;
}

TEST_F(StoreWriterTest, writesWhatWasPushedAndSaysWhenItIsVisible) {
    run();
    const Sequence first = put(spans_from(0, 3));
    const Sequence second = put(spans_from(3, 2));
    put_log("hello");
    ASSERT_TRUE(all_visible());
    const SpanBatch rows = stored_spans(store_);
    ASSERT_EQ(rows.size(), 5u);
    EXPECT_EQ(rows.seq[0], first);
    EXPECT_EQ(rows.seq[4], second);
    EXPECT_THAT(logs(), testing::ElementsAre("hello"));
    EXPECT_EQ(writer_->stats().rows_written, 6u);
    EXPECT_EQ(writer_->stats().queued_rows, 0u);
}

TEST_F(StoreWriterTest, nothingIsVisibleBeforeItIsStored) {
    options_.gather_rows = 1;
    restart();
    std::mutex mutex;
    std::set<Sequence> sent;
    std::atomic<bool> stop = false;
    std::atomic<int> looks = 0;
    std::jthread reader([&] {
        while (!stop) {
            const Sequence visible = writer_->visible();
            std::set<Sequence> expected;
            {
                const std::lock_guard lock(mutex);
                expected.insert(sent.begin(), sent.upper_bound(visible));
            }
            const SpanBatch rows = stored_spans(store_);
            std::set<Sequence> stored(rows.seq.values_.begin(), rows.seq.values_.end());
            EXPECT_TRUE(std::ranges::includes(stored, expected));
            ++looks;
        }
    });
    for (int at = 0; at < 200; ++at) {
        const Sequence sequence = put(spans_from(at, 1));
        const std::lock_guard lock(mutex);
        sent.insert(sequence);
    }
    EXPECT_TRUE(all_visible());
    stop = true;
    reader.join();
    EXPECT_GT(looks, 0);
}

TEST_F(StoreWriterTest, triesAgainUntilTheStoreIsBack) {
    run();
    trouble_->away = true;
    put(spans_from(0, 3));
    ASSERT_TRUE(eventually([&] { return writer_->stats().retries > 3; }));
    EXPECT_THAT(writer_->stats().store_error, HasSubstr("away"));
    EXPECT_EQ(writer_->visible(), 0u);
    trouble_->away = false;
    ASSERT_TRUE(all_visible());
    EXPECT_EQ(writer_->stats().store_error, "");
    EXPECT_EQ(stored_spans(store_).size(), 3u);
}

TEST_F(StoreWriterTest, aWriteWhoseAnswerWasLostIsNotStoredTwice) {
    run();
    trouble_->loses_answers = true;
    trouble_->away = true;
    put(spans_from(0, 3));
    ASSERT_TRUE(eventually([&] { return stored_spans(store_).size() == 3; }));
    trouble_->away = false;
    ASSERT_TRUE(all_visible());
    EXPECT_EQ(stored_spans(store_).size(), 3u);
}

TEST_F(StoreWriterTest, oneBadRowGoesIntoQuarantineAndTheOthersAreStored) {
    options_.gather = milliseconds(200);
    restart();
    trouble_->poison = "bad";
    std::vector<TestRow> rows = spans_from(0, 37);
    rows[20].set("span_name", std::string("bad"));
    put(rows);
    put_log("behind it");
    ASSERT_TRUE(all_visible());
    EXPECT_EQ(stored_spans(store_).size(), 36u);
    EXPECT_THAT(logs(), testing::ElementsAre("behind it"));
    EXPECT_EQ(writer_->stats().quarantined, 1u);
    std::vector<fs::path> files(fs::directory_iterator(options_.quarantine), {});
    ASSERT_EQ(files.size(), 1u);
    std::ifstream file(files[0], std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    std::string_view rest = bytes;
    EXPECT_EQ(std::get<SpanBatch>(read_record(rest).value()).span_name[0], "bad");
}

TEST_F(StoreWriterTest, quarantineHasAnEnd) {
    options_.quarantine_bytes = 10;
    restart();
    trouble_->poison = "bad";
    put({call("bad", "")});
    ASSERT_TRUE(all_visible());
    EXPECT_EQ(writer_->stats().quarantined, 1u);
    EXPECT_TRUE(fs::is_empty(options_.quarantine));
}

TEST_F(StoreWriterTest, forgetsOldQuarantine) {
    options_.keep_quarantine = Nanos::days(30);
    const fs::path old = options_.quarantine / "old.record", young = options_.quarantine / "young.record";
    std::ofstream(old) << "x";
    std::ofstream(young) << "x";
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(24 * 31));
    restart();
    EXPECT_TRUE(eventually([&] { return !fs::exists(old); }));
    EXPECT_TRUE(fs::exists(young));
}

TEST_F(StoreWriterTest, forgetsWhatAProjectKeepsForAShorterTime) {
    const auto write = [&](std::string_view project, int days_ago, std::string_view id) {
        SpanBatch row;
        row.org_id.put(0, "default");
        row.project_id.put(0, project);
        row.ts.put(0, UnixNanos{now_.load()} - Nanos::days(days_ago));
        row.span_name.put(0, fmt::format("{}-{}", project, days_ago));
        row.input_text.put(0, "text");
        ASSERT_TRUE(store_.write(row, id));
    };
    for (int days = 1; days <= 9; days += 4) {
        write("short", days, fmt::format("s{}", days));
        write("other", days, fmt::format("o{}", days));
    }
    options_.keep_rows = {{TableId::spans, Nanos::days(90)}};
    options_.keep_content = Nanos::days(30);
    options_.projects = [] {
        StoreWriter::Options::ProjectLifetime lifetime{.org = "default", .project = "short"};
        lifetime.keep_rows[TableId::spans] = Nanos::days(7);
        lifetime.keep_content = Nanos::days(3);
        StoreWriter::Options::ProjectLifetime longer{.org = "default", .project = "other"};
        longer.keep_rows[TableId::spans] = Nanos::days(365);
        return std::vector{lifetime, longer};
    };
    const auto told = std::make_shared<std::atomic<int>>(0);
    options_.forgotten = [told] { ++*told; };
    restart();
    ASSERT_TRUE(eventually([&] { return *told == 1; }));
    RowQuestion all(Scope("default", {}));
    const auto rows = store_.rows(all, {});
    ASSERT_TRUE(rows);
    const SpanBatch& left = std::get<SpanBatch>(rows->batch);
    std::vector<std::string> found;
    for (std::size_t row = 0; row < left.size(); ++row)
        found.push_back(fmt::format("{} {}", left.span_name[row], left.input_text[row]));
    EXPECT_THAT(found, testing::UnorderedElementsAre("short-1 text", "short-5 ", "other-1 text",
                                                     "other-5 text", "other-9 text"));
}

TEST_F(StoreWriterTest, whatHasNoRoomInMemoryIsReadBackFromTheJournal) {
    options_.queue_bytes = 1;
    options_.gather_rows = 7;
    restart();
    trouble_->away = true;
    std::vector<std::string> bodies;
    for (int at = 0; at < 50; ++at) {
        put(spans_from(at, 1));
        put_log(bodies.emplace_back(fmt::format("log {}", at)));
    }
    EXPECT_GT(writer_->stats().spilled, 0u);
    trouble_->away = false;
    for (int at = 50; at < 100; ++at) put_log(bodies.emplace_back(fmt::format("log {}", at)));
    ASSERT_TRUE(all_visible());
    EXPECT_EQ(stored_spans(store_).size(), 50u);
    EXPECT_THAT(logs(), testing::UnorderedElementsAreArray(bodies));
}

TEST_F(StoreWriterTest, oneWriteIsOfBoundedSize) {
    options_.gather = milliseconds(10'000);
    options_.gather_rows = 1'000'000;
    options_.most_bytes = 20'000;
    restart();
    trouble_->away = true;
    for (int at = 0; at < 100; ++at)
        put({call("c1", "").trace(fmt::format("t{}", at)).input(std::string(1'000, 'x'))});
    trouble_->away = false;
    ASSERT_TRUE(eventually([&] { return stored_spans(store_).size() >= 90; }));
    EXPECT_GE(writer_->stats().writes, 4u);
}

TEST_F(StoreWriterTest, oneRequestOverTwoHundredDays) {
    std::vector<TestRow> rows = spans_from(0, 400);
    for (int at = 0; at < 400; ++at) rows[at].at(-std::chrono::hours(12) * at);
    run();
    trouble_->writes_left = 90;
    put(rows);
    ASSERT_TRUE(eventually([&] { return writer_->stats().retries > 0; }));
    EXPECT_EQ(writer_->visible(), 0u);
    restart();
    ASSERT_TRUE(all_visible());
    EXPECT_EQ(stored_spans(store_).size(), 400u);
    EXPECT_GE(trouble_->writes, 200);
}

// -- settling

TEST_F(StoreWriterTest, settlesWrappersAgentsAndRoots) {
    run();
    put({call("w1", "lost")});
    put({call("c2", "w1"), agent("a3", "lost")});
    ASSERT_TRUE(all_visible());
    ASSERT_TRUE(eventually([&] { return stored() == "w1 (10+5) root\nc2 10+5 call\na3 (10+5)\n"; }));
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "w1 (10+5) root\nc2 10+5 call\na3 10+5 call\n");
    EXPECT_EQ(writer_->stats().amended, 2u);
}

TEST_F(StoreWriterTest, changesRowsForOthersAndTellsTheRollups) {
    RollupSchedule rollups({.clock = [this] { return UnixNanos{now_.load()}; }});
    options_.rollups = &rollups;
    crash();
    start();
    run();
    put({call("c1", "")});
    ASSERT_TRUE(settle());
    pass(Nanos::hours(48));
    while (const auto work = rollups.next()) rollups.done(*work, {});
    ASSERT_EQ(rollups.waiting(RollupLevel::minute), 0u);
    Amendments amendments;
    amendments.org = amendments.project = "default";
    amendments.costs = spans_of({call("c1", "").cost(7).seq(last_)});
    ASSERT_TRUE(writer_->change(amendments));
    const SpanBatch stored = stored_spans(store_);
    EXPECT_EQ(stored.total_cost[0], Usd{7});
    EXPECT_EQ(rollups.waiting(RollupLevel::minute), 1u);
    EXPECT_EQ(rollups.waiting(RollupLevel::day), 1u);

    trouble_->away = true;
    EXPECT_FALSE(writer_->change(amendments)) << "who asks tries again, not the writer";
    trouble_->away = false;
    EXPECT_TRUE(writer_->stop(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    const auto late = writer_->change(amendments);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::cancelled);
}

TEST_F(StoreWriterTest, aSpanAfterTheEndGetsNoSecondRoot) {
    run();
    put({step("s1", "")});
    put({step("s2", "lost").trace("other")});
    ASSERT_TRUE(settle());
    put({step("s3", "lost")});
    put({step("s4", "lost").trace("other")});
    put({step("s5", "lost").trace("third")});
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "s1 root\ns2 root\ns3\ns4\ns5 root\n");
}

TEST_F(StoreWriterTest, joinsContentToStoredSpans) {
    run();
    put({call("c1", ""), call("c2", "c1")});
    ASSERT_TRUE(all_visible());
    put_content({message_of("c1", "first question")});
    ASSERT_TRUE(eventually([&] { return writer_->stats().amended > 0; }));
    put_content({message_of("c1", "second question"), answer_of("c1", "the answer")});
    ASSERT_TRUE(settle());
    const SpanBatch rows = stored_spans(store_);
    EXPECT_THAT(std::string(rows.input_messages[0]), testing::ContainsRegex("first.*second"));
    EXPECT_EQ(rows.output_text[0], "the answer");
    EXPECT_THAT(std::string(rows.search_text[0]), HasSubstr("answer"));
    EXPECT_EQ(rows.output_text[1], "");
}

TEST_F(StoreWriterTest, confirmsNothingOfATraceThatIsOpen) {
    run();
    const Sequence first = put({call("c1", "lost")});
    put(spans_from(0, 1));
    ASSERT_TRUE(all_visible());
    pass(Nanos::seconds(6));  // the second one has its root
    ASSERT_TRUE(eventually([&] { return open_->stats().open_traces == 1; }));
    EXPECT_LT(journal_->stats().confirmed, first);
    ASSERT_TRUE(settle());
}

// -- crashes

struct Crash {
    std::string_view what;
    void (*trouble)(TroubledStore&);
};
class StoreWriterCrash : public StoreWriterTest, public testing::WithParamInterface<Crash> {};

TEST_P(StoreWriterCrash, everythingIsThereOnceAfterwards) {
    run();
    put({call("w1", "lost").at({})});
    ASSERT_TRUE(all_visible());
    GetParam().trouble(*trouble_);
    // Three days, a wrapper that is stored already, content before and after its span, other rows.
    put({call("c2", "w1").at(std::chrono::hours(24)), call("c3", "w1").at(std::chrono::hours(48)),
         agent("a4", "lost").at(std::chrono::hours(49))});
    put_content({message_of("c2", "first"), answer_of("w1", "the answer")});
    put_log("one");
    put_content({message_of("c2", "second")});
    const auto in_trouble = [&] { return writer_->stats().retries > 2; };
    eventually([&] { return in_trouble() || writer_->visible() >= last_; });
    pass(Nanos::seconds(31));
    eventually([&] { return in_trouble() || open_->stats().open_traces == 0; });
    for (int life = 0; life < 2; ++life) {
        crash();
        start();
        GetParam().trouble(*trouble_);
        run();
        eventually([&] { return in_trouble() || writer_->recovered(); });
    }
    crash();
    start();
    run();
    ASSERT_TRUE(eventually([&] { return writer_->recovered(); }));
    put(spans_from(5, 1));
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "w1 (10+5) root\nc 10+5 call root\nc2 10+5 call\nc3 10+5 call\na4 10+5 call\n");
    EXPECT_THAT(logs(), testing::ElementsAre("one"));
    const SpanBatch rows = stored_spans(store_);
    EXPECT_EQ(rows.output_text[0], "the answer");
    EXPECT_THAT(std::string(rows.input_messages[2]), testing::ContainsRegex("first.*second"));
    EXPECT_THAT(std::string(rows.input_messages[2]), testing::Not(testing::ContainsRegex("second.*second")));
    EXPECT_THAT(std::string(rows.input_messages[2]), testing::Not(testing::ContainsRegex("first.*first")));
}

INSTANTIATE_TEST_SUITE_P(
    Stages, StoreWriterCrash,
    testing::Values(Crash{"before_any_write", [](TroubledStore& store) { store.away = true; }},
                    Crash{"after_the_first_partition", [](TroubledStore& store) { store.writes_left = 1; }},
                    Crash{"after_the_second_partition", [](TroubledStore& store) { store.writes_left = 2; }},
                    Crash{"before_the_answer_of_a_partition",
                          [](TroubledStore& store) {
                              store.loses_answers = true;
                              store.writes_left = 1;
                          }},
                    Crash{"before_any_amendment", [](TroubledStore& store) { store.amends_left = 0; }},
                    Crash{"after_the_first_amendment", [](TroubledStore& store) { store.amends_left = 1; }},
                    Crash{"before_the_answer_of_an_amendment",
                          [](TroubledStore& store) {
                              store.loses_answers = true;
                              store.amends_left = 0;
                          }},
                    Crash{"at_no_time", [](TroubledStore&) {}}),
    [](const auto& test) { return std::string(test.param.what); });

TEST_F(StoreWriterTest, knowsRequestsOfBeforeACrash) {
    run();
    put(spans_from(0, 1));
    ASSERT_TRUE(all_visible());
    restart();
    Intake::Done done;
    EXPECT_EQ(resends_->begin({requests_, 1}, noon, done), Resends::Seen::durable);
    EXPECT_EQ(resends_->begin({requests_ + 1, 1}, noon, done), Resends::Seen::never);
}

TEST_F(StoreWriterTest, isNotRecoveredBeforeEverythingIsStoredAgain) {
    run();
    trouble_->away = true;
    put(spans_from(0, 10));
    crash();
    start();
    trouble_->away = true;
    run();
    ASSERT_TRUE(eventually([&] { return writer_->stats().retries > 0; }));
    EXPECT_FALSE(writer_->recovered());
    trouble_->away = false;
    ASSERT_TRUE(eventually([&] { return writer_->recovered(); }));
    EXPECT_EQ(stored_spans(store_).size(), 10u);
    EXPECT_EQ(writer_->stats().recovered_rows, 10u);
}

// -- stopping

TEST_F(StoreWriterTest, writesEverythingBeforeItStopsAndLeavesTracesOpen) {
    options_.gather = milliseconds(10'000);
    restart();
    put({call("w1", "lost"), agent("a3", "lost")});
    put({call("c2", "w1")});
    const auto now = std::chrono::steady_clock::now();
    EXPECT_TRUE(writer_->stop(now + std::chrono::seconds(10)));
    EXPECT_EQ(stored(), "w1 10+5 call root\nc2 10+5 call\na3 (10+5)\n");
    options_.gather = milliseconds(1);
    crash();
    start();
    EXPECT_TRUE(writer_->recovered()) << "before it is asked anything";
    EXPECT_GE(writer_->visible(), last_) << "what was stored stays visible";
    Intake::Done done;
    EXPECT_EQ(resends_->begin({requests_, 1}, noon, done), Resends::Seen::durable);
    run();
    put(spans_from(0, 1));
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "c 10+5 call root\nw1 (10+5) root\nc2 10+5 call\na3 10+5 call\n");
    EXPECT_EQ(writer_->stats().recovered_rows, 0u);
    EXPECT_EQ(trouble_->writes, 1) << "what had been written is not written again";
}

TEST_F(StoreWriterTest, stopsWhileItStillReadsBackWhatIsOpen) {
    run();
    for (int at = 0; at < 50; ++at) {
        put({call("w1", "lost").trace(fmt::format("t{}", at))});
        ASSERT_TRUE(all_visible());
    }
    for (int life = 0; life < 5; ++life) stop_and_start();
    put({call("c2", "w1").trace("t49")});
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored_spans(store_).size(), 51u);
    EXPECT_THAT(stored(), HasSubstr("w1 (10+5) root\n"));
}

// What comes after the end of a life is settled with what came before.
struct End {
    std::string_view what;
    void (*end)(StoreWriterTest&);
};
class StoreWriterEnd : public StoreWriterTest, public testing::WithParamInterface<End> {
public:
    using StoreWriterTest::restart, StoreWriterTest::settle, StoreWriterTest::stop_and_start;
};
// Repetitions are known as long as their trace is open: these ends leave it open.
class StoreWriterRestart : public StoreWriterEnd {};

TEST_P(StoreWriterEnd, aCallAfterItMakesTheOneAboveAWrapper) {
    run();
    put({call("w1", "lost"), agent("a3", "")});
    ASSERT_TRUE(all_visible());
    GetParam().end(*this);
    put({call("c2", "w1"), call("c4", "a3")});
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "w1 (10+5)\nc2 10+5 call\na3 (10+5) root\nc4 10+5 call\n");
}

TEST_P(StoreWriterRestart, aSpanThatIsSentAgainAfterItIsStoredOnce) {
    run();
    put({call("c1", "lost")});
    put({call("c1", "lost")});  // alone: nothing is written for it
    put({call("c2", "").trace("other")});
    ASSERT_TRUE(all_visible());
    GetParam().end(*this);
    put({call("c1", "lost"), call("c2", "").trace("other")});
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored_spans(store_).size(), 2u);
}

TEST_P(StoreWriterEnd, aRepetitionThatWasLeftOutDoesNotComeBack) {
    run();
    put({call("c0", "lost").trace("long")});  // keeps what follows in the journal
    ASSERT_TRUE(all_visible());
    put({call("c1", "")});
    ASSERT_TRUE(all_visible());
    put({call("c1", "")});
    ASSERT_TRUE(all_visible());
    pass(Nanos::seconds(6));
    ASSERT_TRUE(eventually([&] { return open_->stats().open_traces == 1; }));
    GetParam().end(*this);
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored_spans(store_).size(), 2u);
}

const End a_stop{"a_stop",
                 [](StoreWriterTest& test) { static_cast<StoreWriterEnd&>(test).stop_and_start(); }};
const End a_crash{"a_crash", [](StoreWriterTest& test) { static_cast<StoreWriterEnd&>(test).restart(); }};
const End its_trace_settled{"its_trace_settled", [](StoreWriterTest& test) {
                                EXPECT_TRUE(static_cast<StoreWriterEnd&>(test).settle());
                            }};
const auto name_of_end = [](const testing::TestParamInfo<End>& test) { return std::string(test.param.what); };

INSTANTIATE_TEST_SUITE_P(Ends, StoreWriterEnd, testing::Values(a_stop, a_crash, its_trace_settled),
                         name_of_end);
INSTANTIATE_TEST_SUITE_P(Ends, StoreWriterRestart, testing::Values(a_stop, a_crash), name_of_end);

TEST_F(StoreWriterTest, knowsRequestsThatTheJournalDoesNotHoldAnyMore) {
    run();
    put(spans_from(0, 1));
    std::mt19937_64 random(1);  // what can be compressed fills no segment
    while (journal_->stats().bytes < 3 << 20) {
        std::string text(100'000, '\0');
        for (char& letter : text) letter = static_cast<char>('!' + random() % 90);
        put({call("c1", "").trace(fmt::format("t{}", requests_)).input(text)});
    }
    ASSERT_TRUE(all_visible());
    pass(Nanos::seconds(6));
    ASSERT_TRUE(eventually([&] { return journal_->stats().confirmed >= last_; }));
    stop_and_start();
    EXPECT_GT(journal_->recovery().oldest, 1u) << "its record is gone";
    Intake::Done done;
    EXPECT_EQ(resends_->begin({1, 1}, UnixNanos{now_.load()}, done), Resends::Seen::durable);
    pass(Nanos::seconds(15 * 60));
    stop_and_start();
    EXPECT_EQ(resends_->begin({1, 1}, UnixNanos{now_.load()}, done), Resends::Seen::never);
}

TEST_F(StoreWriterTest, givesUpAtTheDeadlineAndGoesOnAtTheNextStart) {
    run();
    trouble_->away = true;
    put({call("w1", "lost"), call("c2", "w1")});
    EXPECT_FALSE(writer_->stop(std::chrono::steady_clock::now() + milliseconds(50)));
    restart();
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "w1 (10+5) root\nc2 10+5 call\n");
}

TEST_F(StoreWriterTest, doesNotConfirmWhatItCouldNotSettle) {
    run();
    put({call("w1", "lost"), agent("a3", "lost")});
    ASSERT_TRUE(all_visible());
    trouble_->amends_left = 0;
    pass(Nanos::seconds(31));
    ASSERT_TRUE(eventually([&] { return writer_->stats().retries > 2; }));
    EXPECT_FALSE(writer_->stop(std::chrono::steady_clock::now() + milliseconds(50)));
    restart();
    ASSERT_TRUE(settle());
    EXPECT_EQ(stored(), "w1 10+5 call root\na3 10+5 call\n");
}

}  // namespace
}  // namespace obs
