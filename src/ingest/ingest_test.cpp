#include "ingest/ingest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>

#include "ingest/test_bed.h"

namespace obs {
namespace {

using namespace obs::test;
using testing::ElementsAre;
using testing::HasSubstr;

// A journal in memory, whose disk answers when the test says so.
class SlowJournal final : public Journal {
public:
    bool waits = false;  // requests stay in flight until answer()
    std::optional<Error> refuses{};
    std::size_t submitted = 0;

    const Recovery& recovery() const override { return recovery_; }
    Result<void> replay(Sequence, const Deliver&) override { return {}; }
    Result<void> replay_heads(Sequence, std::size_t, const Deliver&) override { return {}; }
    void submit(RecordKind kind, std::string_view, Done done) override {
        const std::unique_lock lock(mutex_);
        if (kind != RecordKind::rows) {
            done(++sequence_);
            return;
        }
        ++submitted;
        waiting_.push_back(std::move(done));
        if (!waits) answer_locked();
    }
    void answer() {
        const std::unique_lock lock(mutex_);
        answer_locked();
    }
    void confirm(Sequence) override {}
    Stats stats() const override { return {}; }

private:
    void answer_locked() {
        for (Done& done : std::exchange(waiting_, {}))
            refuses ? done(std::unexpected(*refuses)) : done(++sequence_);
    }
    std::mutex mutex_;
    std::deque<Done> waiting_;
    Sequence sequence_ = 0;
    Recovery recovery_;
};

// A model call, `name` in its ids.
std::string call_json(std::string_view name, std::string_view model = "gpt-4o", std::string_view more = "") {
    const auto hex = [](std::string_view bytes) { return to_hex(std::as_bytes(std::span(bytes))); };
    return fmt::format(
        R"({{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"{}","name":"{}","kind":3,
        "startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":[
        {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
        {{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},
        {{"key":"gen_ai.request.model","value":{{"stringValue":"{}"}}}},
        {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000"}}}},
        {{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"500"}}}}]}}{}]}}]}}]}})",
        hex(trace_bytes(name)), hex(span_bytes(name)), name, noon.since_epoch,
        noon.since_epoch + 1'000'000'000, model, more);
}

class IngestTest : public testing::Test {
protected:
    IngestTest() { make(); }
    ~IngestTest() override {
        journal_.refuses = Error{ErrorKind::unavailable, "over", {}};
        journal_.answer();
        writer_->stop(std::chrono::steady_clock::now());
    }
    void make() {
        StoreWriter::Options writer;
        writer.directory_id = "dir";
        writer.quarantine = directory_.path();
        writer.gather = std::chrono::milliseconds(1);
        writer.clock = [] { return noon; };
        writer_ = std::make_unique<StoreWriter>(writer, store_, journal_, open_, enricher());
        writer_->start();
        Ingest::Options options;
        options.clock = [this] { return UnixNanos{now_.load()}; };
        options.spend_limits = &limits_;
        options.live = &watcher_;
        ingest_ = std::make_unique<Ingest>(options, enricher(), journal_, *writer_, resends_, budget_);
    }

    // What the client was told, and how often: `ok`, `ok, 1 rejected: why`, `overloaded`.
    void send(std::string_view json, Signal signal = Signal::traces, Tenant tenant = {}) {
        IntakeRequest request{
            .signal = signal, .encoding = Encoding::json, .tenant = std::move(tenant), .body = Buffer(json)};
        ingest_->accept(std::move(request), [this](Result<Accepted> result) {
            const std::lock_guard lock(mutex_);
            if (!result)
                answers_.push_back(std::string(result.error().kind == ErrorKind::invalid_input ? "invalid"
                                               : result.error().kind == ErrorKind::overloaded  ? "overloaded"
                                                                                               : "other"));
            else if (result->rejected == 0)
                answers_.emplace_back(result->message.empty() ? "ok" : "ok: " + result->message);
            else
                answers_.push_back(fmt::format("ok, {} rejected: {}", result->rejected, result->message));
        });
    }
    std::vector<std::string> answers() {
        const std::lock_guard lock(mutex_);
        return std::exchange(answers_, {});
    }
    // Says of every row what the test wants.
    class Limits final : public SpendLimits {
    public:
        OverLimit over(const Tenant&, const SpanBatch&) const override { return said; }
        OverLimit said;
    };

    class Watcher final : public LiveSpans {
    public:
        bool wanted() const override { return watches; }
        void kept(SpanBatch rows) override {
            for (std::size_t row = 0; row < rows.size(); ++row) names.emplace_back(rows.span_name[row]);
        }
        void settled(std::vector<SettledTrace>) override {}
        bool watches = true;
        std::vector<std::string> names;
    };

    SpanBatch stored(std::size_t rows) {
        EXPECT_TRUE(eventually([&] { return writer_->stats().rows_written >= rows; }));
        return stored_spans(store_);
    }

    TempDirectory directory_;
    MemoryStore store_;
    SlowJournal journal_;
    OpenTraces open_{{}, enricher()};
    Resends resends_;
    ByteBudget budget_{{.limit = std::size_t{1} << 20}};
    std::atomic<std::int64_t> now_ = noon.since_epoch + 1'000'000'000;
    Limits limits_;
    Watcher watcher_;
    std::unique_ptr<StoreWriter> writer_;
    std::unique_ptr<Ingest> ingest_;
    std::mutex mutex_;
    std::vector<std::string> answers_;
};

TEST_F(IngestTest, whoWatchesHearsOfSpansWhenTheyAreSafe) {
    journal_.waits = true;
    send(call_json("one"));
    send(call_json("one"));
    EXPECT_THAT(watcher_.names, testing::IsEmpty());
    journal_.answer();
    EXPECT_THAT(watcher_.names, ElementsAre("one")) << "a repeated request is no news";
    watcher_.watches = false;
    send(call_json("two"));
    watcher_.watches = true;
    journal_.answer();
    EXPECT_THAT(watcher_.names, ElementsAre("one"));
    journal_.refuses = Error{ErrorKind::unavailable, "full", {}};
    send(call_json("three"));
    journal_.answer();
    EXPECT_THAT(watcher_.names, ElementsAre("one")) << "what is not kept is no news";
}

TEST_F(IngestTest, aSpanOverAHardLimitIsKeptAndMarked) {
    limits_.said = {.flagged = {0}, .refused = {}, .budget = "team"};
    send(call_json("one"));
    EXPECT_THAT(answers(), ElementsAre(testing::StartsWith("ok: QUOTA_EXCEEDED: budget team")));
    EXPECT_EQ(stored(1).flags[0] & flag_over_budget, flag_over_budget);
    EXPECT_EQ(ingest_->stats().over_budget, 1u);
}

TEST_F(IngestTest, aSpanOverALimitThatRefusesIsRefusedAlone) {
    limits_.said = {.flagged = {}, .refused = {0}, .budget = "team"};
    send(call_json("one"));
    EXPECT_THAT(answers(), ElementsAre(testing::StartsWith("ok, 1 rejected: QUOTA_EXCEEDED: budget team")));
    EXPECT_EQ(ingest_->stats().spans, 0u);
    EXPECT_EQ(ingest_->stats().refused_by_budget, 1u);
    EXPECT_EQ(ingest_->stats().rejected, 0u) << "counted by its own name";
}

TEST_F(IngestTest, aSpanKnowsTheKeyItCameWith) {
    send(call_json("one"), Signal::traces, {.key_id = "key-1"});
    EXPECT_EQ(stored(1).ingest_key[0], "key-1");
}

TEST_F(IngestTest, bytesInRowsOut) {
    send(call_json("one"));
    EXPECT_THAT(answers(), ElementsAre("ok"));
    const SpanBatch rows = stored(1);
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows.model[0], "gpt-4o");
    EXPECT_EQ(rows.service_name[0], "shop");
    EXPECT_EQ(rows.prompt_tokens[0]->count, 1000);
    EXPECT_GT(rows.total_cost[0]->nanos, 0);
    EXPECT_EQ(ingest_->stats().spans, 1u);
}

TEST_F(IngestTest, aSpanWithoutAnEndRunsUntilItComesWithOne) {
    std::string begun = call_json("one");
    const std::string end = fmt::format("{}", noon.since_epoch + 1'000'000'000);
    begun.replace(begun.find(end), end.size(), "0");
    send(begun);
    send(call_json("two"));
    EXPECT_THAT(answers(), ElementsAre("ok", "ok"));
    EXPECT_EQ(stored(1).size(), 1u);
    EXPECT_EQ(open_.running_spans().stats().running, 1u);
    send(call_json("one"));
    const SpanBatch rows = stored(2);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows.duration[0], Nanos::seconds(1));
    EXPECT_EQ(rows.duration[1], Nanos::seconds(1));
    EXPECT_EQ(open_.running_spans().stats().running, 0u);
}

TEST_F(IngestTest, isAnsweredOnlyWhenItIsOnDisk) {
    journal_.waits = true;
    send(call_json("one"));
    EXPECT_TRUE(answers().empty());
    EXPECT_EQ(ingest_->stats().spans, 0u);
    journal_.answer();
    EXPECT_THAT(answers(), ElementsAre("ok"));
    EXPECT_EQ(ingest_->stats().spans, 1u);
}

TEST_F(IngestTest, aRepeatIsAnsweredAndNotStored) {
    send(call_json("one"));
    send(call_json("one"));
    send(call_json("two"));
    EXPECT_THAT(answers(), ElementsAre("ok", "ok", "ok"));
    EXPECT_EQ(stored(2).size(), 2u);
    EXPECT_EQ(journal_.submitted, 2u);
    EXPECT_EQ(ingest_->stats().repeated_requests, 1u);
    EXPECT_EQ(ingest_->stats().spans, 2u);
}

TEST_F(IngestTest, repeatsOfWhatIsOnItsWayAreAnsweredTogether) {
    journal_.waits = true;
    for (int times = 0; times < 3; ++times) send(call_json("one"));
    EXPECT_TRUE(answers().empty());
    EXPECT_EQ(journal_.submitted, 1u);
    journal_.answer();
    EXPECT_THAT(answers(), ElementsAre("ok", "ok", "ok"));
    EXPECT_EQ(stored(1).size(), 1u);
}

TEST_F(IngestTest, theSameBytesOfAnotherProjectAreAnotherRequest) {
    send(call_json("one"));
    send(call_json("one"), Signal::traces, {.org = "default", .project = "other", .key_id = ""});
    EXPECT_THAT(answers(), ElementsAre("ok", "ok"));
    EXPECT_EQ(stored(2).size(), 2u);
}

TEST_F(IngestTest, aRefusalLeavesNoTrace) {
    journal_.waits = true;
    journal_.refuses = Error{ErrorKind::overloaded, "the journal is full", {}};
    send(call_json("one", "no such model"));
    send(call_json("one", "no such model"));
    journal_.answer();
    EXPECT_THAT(answers(), ElementsAre("overloaded", "overloaded"));
    EXPECT_EQ(ingest_->stats().spans, 0u);
    EXPECT_EQ(ingest_->stats().refused_requests, 1u);
    EXPECT_EQ(ingest_->stats().unpriced_spans, 0u);
    EXPECT_EQ(budget_.used(), 0u);

    journal_.waits = false;
    journal_.refuses = {};
    send(call_json("one", "no such model"));
    EXPECT_THAT(answers(), ElementsAre("ok"));
    EXPECT_EQ(stored(1).size(), 1u);
}

TEST_F(IngestTest, refusesWhatHasNoRoomUntilThereIsSome) {
    auto taken = budget_.acquire(budget_.limit(), ByteBudget::Use::queue);
    send(call_json("one"));
    EXPECT_THAT(answers(), ElementsAre("overloaded"));
    EXPECT_EQ(journal_.submitted, 0u);
    taken.reset();
    send(call_json("one"));
    EXPECT_THAT(answers(), ElementsAre("ok"));
    EXPECT_EQ(stored(1).size(), 1u);
    EXPECT_TRUE(eventually([&] { return budget_.used() == 0; })) << "what is stored holds no memory";
}

TEST_F(IngestTest, whatCannotBeReadIsRefusedForGood) {
    send("{\"resourceSpans\":[");
    EXPECT_THAT(answers(), ElementsAre("invalid"));
    EXPECT_EQ(ingest_->stats().unreadable, 1u);
    EXPECT_EQ(journal_.submitted, 0u);
}

TEST_F(IngestTest, badItemsAreRefusedOneByOne) {
    send(call_json("one", "gpt-4o", R"(,{"traceId":"00","spanId":"00","name":"bad"})"));
    EXPECT_THAT(answers(), ElementsAre(HasSubstr("ok, 1 rejected: ")));
    EXPECT_EQ(stored(1).size(), 1u);
    EXPECT_EQ(ingest_->stats().rejected, 1u);
}

TEST_F(IngestTest, whatIsOlderThanItsTableKeepsIsRefused) {
    now_ += Nanos::days(91).count;
    send(call_json("one"));
    EXPECT_THAT(answers(), ElementsAre(HasSubstr("ok, 1 rejected: ")));
    EXPECT_EQ(journal_.submitted, 0u);
    EXPECT_EQ(ingest_->stats().rejected, 1u);
}

TEST_F(IngestTest, nothingIsAccepted) {
    send("{}");
    EXPECT_THAT(answers(), ElementsAre("ok"));
    EXPECT_EQ(journal_.submitted, 0u);
}

TEST_F(IngestTest, countsCallsWithoutAPrice) {
    send(call_json("one", "no such model"));
    send(call_json("two", "no such model"));
    send(call_json("three"));
    send(call_json("four", "no such model"), Signal::traces,
         {.org = "default", .project = "other", .key_id = ""});
    EXPECT_EQ(ingest_->stats().unpriced_spans, 3u);
}

TEST_F(IngestTest, logsAndMetricsAreKeptToo) {
    send(fmt::format(
             R"({{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{}","body":{{"stringValue":
        "hello"}}}}]}}]}}]}})",
             noon.since_epoch),
         Signal::logs);
    send(fmt::format(
             R"({{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[
        {{"timeUnixNano":"{}","asInt":"3"}}]}}}}]}}]}}]}})",
             noon.since_epoch),
         Signal::metrics);
    EXPECT_THAT(answers(), ElementsAre("ok", "ok"));
    stored(2);
    EXPECT_EQ(ingest_->stats().logs, 1u);
    EXPECT_EQ(ingest_->stats().metric_points, 1u);
}

}  // namespace
}  // namespace obs
