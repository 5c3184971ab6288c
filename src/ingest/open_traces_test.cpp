#include "ingest/open_traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "ingest/test_bed.h"

namespace obs {
namespace {

using namespace obs::test;
using std::chrono_literals::operator""s;
using Batches = std::vector<std::vector<TestRow>>;

// The table with a store behind it: what StoreWriter does, in a few lines.
class Bed {
public:
    explicit Bed(OpenTraces::Options options = {}) : open(options, enricher()) {}

    void send(const std::vector<TestRow>& rows) {
        SpanBatch stored = open.spans({tenant, ++seq, now, replayed}, spans_of(rows));
        stored.seq.values_.assign(stored.size(), seq);
        write(stored);
    }
    void write(const SpanBatch& rows) {
        if (rows.empty()) return;
        ASSERT_TRUE(store.write(rows, fmt::format("w{}", ++writes)));
    }
    void settle() {
        const OpenTraces::Due due = open.due(now);
        for (const Amendments& each : due.amendments) {
            EXPECT_TRUE(store.amend(each));
            amended += each.rows();
        }
        for (const OpenTraces::Again& each : due.again) {
            Amendments changes;
            changes.org = each.org;
            changes.project = each.project;
            asked += each.traces.size();
            OpenTraces::settle_stored(stored_spans(store, each.org), changes);
            amended += changes.rows();
            EXPECT_TRUE(store.amend(changes));
        }
        for (const OpenTraces::Join& join : due.joins) {
            for (std::size_t row = 0; row < join.content.size(); ++row)
                joins.push_back(fmt::format("{}@{}", join.content.output_text[row],
                                            (join.content.ts[row] - noon).count / 1'000'000'000));
        }
    }
    // Every trace that is open.
    void settle_all() {
        now = now + Nanos::seconds(3'600);
        settle();
    }
    void pass(Nanos time) {
        // In steps, as the writer looks again and again.
        for (const UnixNanos end = now + time; now < end;) {
            now = std::min(now + Nanos::milliseconds(250), end);
            settle();
        }
    }
    std::string stored() { return shown(stored_spans(store)); }

    MemoryStore store;
    OpenTraces open;
    Tenant tenant;
    UnixNanos now = noon;
    Sequence seq = 0;
    int writes = 0;
    bool replayed = false;
    std::size_t amended = 0, asked = 0;  // rows and traces
    std::vector<std::string> joins;
};

struct UsageCase {
    std::string_view what;
    Batches batches;
    std::string_view expected;  // sorted by time
};
class Usage : public testing::TestWithParam<UsageCase> {};

TEST_P(Usage, isCountedOnce) {
    Bed bed;
    for (const auto& batch : GetParam().batches) bed.send(batch);
    bed.settle_all();
    EXPECT_EQ(bed.stored(), GetParam().expected);
}

// The same spans in other batches come to the same.
TEST_P(Usage, doesNotDependOnTheOrderOfArrival) {
    std::vector<TestRow> rows;
    for (const auto& batch : GetParam().batches) rows.insert(rows.end(), batch.begin(), batch.end());
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), 0);
    do {
        for (const bool one_batch : {true, false}) {
            Bed bed;
            std::vector<TestRow> batch;
            for (const std::size_t at : order) {
                batch.push_back(rows[at]);
                if (!one_batch) bed.send(std::exchange(batch, {}));
            }
            if (!batch.empty()) bed.send(batch);
            bed.settle_all();
            ASSERT_EQ(bed.stored(), GetParam().expected) << testing::PrintToString(order);
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

// Those who watch learn which spans count; they need not know how that is found.
TEST_P(Usage, listsWhatCountsWhenItSettles) {
    Bed bed;
    for (const auto& batch : GetParam().batches) bed.send(batch);
    const auto settled = bed.open.due(bed.now + Nanos::seconds(3'600), OpenTraces::Listing::settled).settled;
    std::vector<SpanId> counts;
    Bed other;
    for (const auto& batch : GetParam().batches) other.send(batch);
    other.settle_all();
    const SpanBatch stored = stored_spans(other.store);
    for (std::size_t row = 0; row < stored.size(); ++row)
        if (stored.is_call[row] != 0) counts.push_back(stored.span_id[row]);
    ASSERT_EQ(settled.size(), 1U);
    EXPECT_EQ(settled.front().org, "default");
    ASSERT_TRUE(settled.front().calls.has_value());
    EXPECT_THAT(*settled.front().calls, testing::UnorderedElementsAreArray(counts));
    EXPECT_THAT(bed.open.due(bed.now + Nanos::seconds(7'200), OpenTraces::Listing::settled).settled,
                testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Traces, Usage,
    testing::Values(UsageCase{"a_call_alone", {{call("c1", "")}}, "c1 10+5 call root\n"},
                    UsageCase{"a_wrapper_repeats_the_call_below",
                              {{call("w1", ""), call("c2", "w1")}},
                              "w1 (10+5) root\nc2 10+5 call\n"},
                    UsageCase{"a_call_below_without_usage_leaves_it_to_the_one_above",
                              {{call("w1", ""), step("c2", "w1", "llm").set("is_call", std::int64_t{1})}},
                              "w1 10+5 call root\nc2 call\n"},
                    UsageCase{"three_levels_count_the_lowest",
                              {{call("w1", "")}, {call("w2", "w1")}, {call("c3", "w2")}},
                              "w1 (10+5) root\nw2 (10+5)\nc3 10+5 call\n"},
                    UsageCase{"steps_between_do_not_matter",
                              {{call("w1", ""), step("s2", "w1"), step("s3", "s2"), call("c4", "s3")}},
                              "w1 (10+5) root\ns2\ns3\nc4 10+5 call\n"},
                    UsageCase{"two_calls_below_one_wrapper",
                              {{call("w1", ""), call("c2", "w1"), call("c3", "w1")}},
                              "w1 (10+5) root\nc2 10+5 call\nc3 10+5 call\n"},
                    UsageCase{"a_call_beside_is_not_below",
                              {{step("s1", ""), call("c2", "s1"), call("c3", "s1")}},
                              "s1 root\nc2 10+5 call\nc3 10+5 call\n"},
                    UsageCase{"an_agent_without_a_call_below_counts",
                              {{agent("a1", ""), step("s2", "a1", "tool")}},
                              "a1 10+5 call root\ns2\n"},
                    UsageCase{"an_agent_with_a_call_below_repeats_it",
                              {{agent("a1", ""), step("s2", "a1"), call("c3", "s2")}},
                              "a1 (10+5) root\ns2\nc3 10+5 call\n"},
                    UsageCase{"of_agents_inside_each_other_the_innermost_counts",
                              {{agent("a1", ""), agent("a2", "a1"), agent("a3", "a2", "chain")}},
                              "a1 (10+5) root\na2 (10+5)\na3 10+5 call\n"},
                    UsageCase{"agents_side_by_side_count_both",
                              {{agent("a1", ""), agent("a2", "a1"), agent("a3", "a1")}},
                              "a1 (10+5) root\na2 10+5 call\na3 10+5 call\n"},
                    UsageCase{"an_agent_beside_a_call_counts_below_one_that_repeats_both",
                              {{agent("a1", ""), agent("a2", "a1"), call("c3", "a1")}},
                              "a1 (10+5) root\na2 10+5 call\nc3 10+5 call\n"},
                    UsageCase{"a_tool_that_repeats_usage_never_counts",
                              {{step("s1", ""), agent("s2", "s1", "tool")}},
                              "s1 root\ns2 (10+5)\n"},
                    UsageCase{"without_a_root_the_earliest_top_is_it",
                              {{call("c2", "lost"), call("c3", "lost"), step("s1", "c2")}},
                              "s1\nc2 10+5 call root\nc3 10+5 call\n"},
                    UsageCase{"a_circle_of_parents_ends",
                              {{call("c1", "s3"), call("c2", "c1"), step("s3", "c2")}},
                              "c1 (10+5) root\nc2 (10+5)\ns3\n"},
                    UsageCase{"its_own_parent", {{call("c1", "c1")}}, "c1 10+5 call root\n"}),
    [](const auto& test) { return std::string(test.param.what); });

// What came after its trace had settled is settled with what is stored.
TEST_P(Usage, doesNotDependOnWhatSettledBefore) {
    std::vector<TestRow> rows;
    for (const auto& batch : GetParam().batches) rows.insert(rows.end(), batch.begin(), batch.end());
    std::vector<std::size_t> order(rows.size());
    std::iota(order.begin(), order.end(), 0);
    do {
        Bed bed;
        for (const std::size_t at : order) {
            bed.send({rows[at]});
            bed.settle_all();
        }
        // The root may be another one: it was the first that came.
        std::string stored = bed.stored(), expected(GetParam().expected);
        for (std::string* text : {&stored, &expected})
            for (std::size_t at; (at = text->find(" root")) != std::string::npos;) text->erase(at, 5);
        ASSERT_EQ(stored, expected) << testing::PrintToString(order);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST(OpenTraces, asksTheStoreOnlyWhereItMayKnowMore) {
    Bed bed;
    const auto asked = [&](const std::vector<TestRow>& rows) {
        const std::size_t before = bed.asked;
        bed.send(rows);
        bed.settle_all();
        return bed.asked - before;
    };
    EXPECT_EQ(asked({call("c1", "lost").trace("one")}), 0u) << "a new trace";
    EXPECT_EQ(asked({call("c2", "lost").trace("one")}), 1u) << "its call may lie below another one";
    EXPECT_EQ(asked({call("c3", "").trace("one")}), 1u) << "it may wrap a call";
    EXPECT_EQ(asked({step("s4", "").trace("one")}), 1u) << "another span has been its root";
    EXPECT_EQ(asked({step("s1", "").trace("three")}), 0u) << "a new trace with its root";
    EXPECT_EQ(asked({call("c1", "lost").trace("two")}), 0u);
}

TEST(OpenTraces, spansOfBeforeTheStartMayBelongToSettledTraces) {
    Bed bed({.began = noon + Nanos::seconds(5)});
    bed.send({call("c1", "").trace("one"), call("c2", "lost").trace("two"), call("c7", "lost").trace("3")});
    bed.settle_all();
    EXPECT_EQ(bed.asked, 1u);
}

TEST(OpenTraces, walksADeepChainOnce) {
    constexpr std::size_t depth = 100'000;
    SpanBatch rows;
    for (std::size_t row = 0; row < depth; ++row) {
        // The deepest first: every span tells all above it.
        SpanId id, parent;
        const std::size_t number = depth - row;
        std::memcpy(id.bytes.data(), &number, sizeof number);
        const std::size_t above = number - 1;
        std::memcpy(parent.bytes.data(), &above, sizeof above);
        rows.ts.put(row, noon + Nanos{static_cast<std::int64_t>(number)});
        rows.trace_id.put(row, TraceId{{std::byte{1}}});
        rows.span_id.put(row, id);
        rows.parent_span_id.put(row, parent);
        rows.kind.put(row, "llm");
        rows.is_call.put(row, 1);
        rows.prompt_tokens.put(row, Tokens{1});
    }
    OpenTraces open({}, enricher());
    const Tenant tenant;
    const SpanBatch stored = open.spans({tenant, 1, noon}, std::move(rows));
    std::size_t calls = 0;
    for (std::size_t row = 0; row < stored.size(); ++row) calls += stored.is_call[row];
    EXPECT_EQ(calls, 1u);
    EXPECT_TRUE(open.due(noon + Nanos::seconds(3'600)).amendments.empty())
        << "all was known when the rows were stored";
}

TEST(OpenTraces, storesARepeatedSpanOnce) {
    Bed bed;
    bed.send({call("c1", ""), call("c1", "")});
    bed.send({call("c1", ""), call("c2", "c1")});
    EXPECT_EQ(stored_spans(bed.store).size(), 2u);
    EXPECT_EQ(bed.open.stats().repeated_spans, 2u);
}

struct RepeatedCase {
    std::string_view what;
    Batches batches;
    std::string_view expected;
    std::size_t replaced;
};
class Repeated : public testing::TestWithParam<RepeatedCase> {};

TEST_P(Repeated, isStoredOnceAsTheRowThatSaysMore) {
    const RepeatedCase& test = GetParam();
    for (const bool settled_between : {false, true}) {
        Bed bed;
        for (const auto& batch : test.batches) {
            bed.send(batch);
            // What has to change is written while the trace is open, too.
            if (settled_between) bed.settle();
        }
        bed.settle_all();
        EXPECT_EQ(bed.stored(), test.expected);
        EXPECT_EQ(bed.open.stats().replaced_spans, test.replaced);
        EXPECT_EQ(bed.open.stats().open_spans, 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Spans, Repeated,
    testing::Values(RepeatedCase{"as_much", {{call("c1", "")}, {call("c1", "")}}, "c1 10+5 call root\n", 0},
                    RepeatedCase{"less", {{call("c1", "")}, {step("c1", "")}}, "c1 10+5 call root\n", 0},
                    RepeatedCase{"more", {{step("c1", "")}, {call("c1", "")}}, "c1 10+5 call root\n", 1},
                    RepeatedCase{
                        "more_in_one_record", {{step("c1", ""), call("c1", "")}}, "c1 10+5 call root\n", 1},
                    RepeatedCase{"more_without_its_parent",
                                 {{step("c1", "lost")}, {call("c1", "lost")}},
                                 "c1 10+5 call root\n",
                                 1},
                    RepeatedCase{"more_than_a_wrapper_knew",
                                 {{call("w1", ""), step("c2", "w1")}, {call("c2", "w1")}},
                                 "w1 (10+5) root\nc2 10+5 call\n",
                                 1}),
    [](const auto& each) { return std::string(each.param.what); });

// -- the root of a trace

struct RootCase {
    std::string_view what;
    Batches batches;
    std::string_view at_once, settled;
    std::size_t amended;
};
class Root : public testing::TestWithParam<RootCase> {};

TEST_P(Root, isKnownAtOnceAndRightInTheEnd) {
    const RootCase& test = GetParam();
    Bed bed;
    for (const auto& batch : test.batches) bed.send(batch);
    EXPECT_EQ(bed.stored(), test.at_once);
    bed.settle_all();
    EXPECT_EQ(bed.stored(), test.settled);
    EXPECT_EQ(bed.amended, test.amended);
    bed.settle_all();
    EXPECT_EQ(bed.amended, test.amended) << "nothing is left to say";
}

TEST_P(Root, doesNotDependOnWhatSettledBefore) {
    Bed bed;
    for (const auto& batch : GetParam().batches) {
        bed.send(batch);
        bed.settle_all();
    }
    EXPECT_EQ(bed.stored(), GetParam().settled);
}

INSTANTIATE_TEST_SUITE_P(
    Traces, Root,
    testing::Values(
        RootCase{
            "with_the_others", {{step("s2", "s1"), step("s1", "")}}, "s1 root\ns2\n", "s1 root\ns2\n", 0},
        RootCase{"never_comes", {{step("s1", "lost")}}, "s1 root\n", "s1 root\n", 0},
        RootCase{"never_comes_for_several",
                 {{step("s2", "lost"), step("s1", "gone")}},
                 "s1 root\ns2\n",
                 "s1 root\ns2\n",
                 0},
        RootCase{
            "comes_last", {{step("s2", "s1")}, {step("s1", "")}}, "s1 root\ns2 root\n", "s1 root\ns2\n", 1},
        RootCase{"never_comes_and_an_earlier_span_does",
                 {{step("s2", "lost")}, {step("s1", "gone")}},
                 "s1\ns2 root\n",
                 "s1 root\ns2\n",
                 2},
        RootCase{"never_comes_and_its_child_does",
                 {{step("s2", "s1")}, {step("s1", "gone")}},
                 "s1\ns2 root\n",
                 "s1 root\ns2\n",
                 2}),
    [](const auto& each) { return std::string(each.param.what); });

TEST(OpenTraces, tenantsNeverMix) {
    Bed bed;
    bed.send({call("w1", "")});
    const Tenant other{.org = "other", .project = "default", .key_id = ""};
    bed.write(
        bed.open.spans({other, 2, noon}, spans_of({call("c2", "w1").set("org_id", std::string("other"))})));
    bed.write(
        bed.open.spans({other, 3, noon}, spans_of({call("w1", "").set("org_id", std::string("other"))})));
    bed.settle_all();
    EXPECT_EQ(bed.stored(), "w1 10+5 call root\n");
    EXPECT_EQ(shown(stored_spans(bed.store, "other")), "w1 (10+5) root\nc2 10+5 call\n");
    EXPECT_EQ(bed.open.stats().repeated_spans, 0u);
}

// -- when a trace settles

TEST(OpenTraces, settlesAfterThirtySecondsWithoutNews) {
    Bed bed;
    bed.send({agent("a1", "lost")});
    bed.pass(Nanos::seconds(29));
    EXPECT_EQ(bed.open.stats().open_traces, 1u);
    bed.send({step("s2", "a1")});
    bed.pass(Nanos::seconds(29));
    EXPECT_EQ(bed.stored(), "a1 (10+5) root\ns2\n");
    bed.pass(Nanos::seconds(2));
    EXPECT_EQ(bed.stored(), "a1 10+5 call root\ns2\n");
    EXPECT_EQ(bed.open.stats().open_traces, 0u);
    EXPECT_EQ(bed.open.stats().open_spans, 0u);
    EXPECT_EQ(bed.open.stats().bytes, 0u);
    EXPECT_EQ(bed.open.oldest(), std::nullopt);
}

TEST(OpenTraces, settlesFiveSecondsAfterItsRootEnded) {
    Bed bed;
    bed.send({agent("a1", "")});
    bed.pass(Nanos::seconds(4));
    EXPECT_EQ(bed.open.stats().open_traces, 1u);
    bed.pass(Nanos::seconds(2));
    EXPECT_EQ(bed.open.stats().open_traces, 0u);
    EXPECT_EQ(bed.stored(), "a1 10+5 call root\n");
}

TEST(OpenTraces, settlesInTheEndWhateverComes) {
    Bed bed({.settle_at_last = Nanos::seconds(60)});
    for (char second = 0; second < 61; ++second) {
        bed.send({step(fmt::format("s{}", second), "lost")});
        bed.pass(Nanos::seconds(1));
    }
    EXPECT_GE(bed.open.stats().settled_traces, 1u);
}

TEST(OpenTraces, settlesTheOldestEarlyWhenThereIsNoRoom) {
    Bed bed({.bytes = 100'000});
    for (int trace = 0; trace < 1'000; ++trace)
        bed.send({call("c1", "").trace(fmt::format("trace {}", trace))});
    EXPECT_GT(bed.open.stats().bytes, 100'000u);
    bed.settle();
    const OpenTraces::Stats stats = bed.open.stats();
    EXPECT_LE(stats.bytes, 100'000u);
    EXPECT_GT(stats.settled_early, 0u);
    EXPECT_EQ(stats.open_traces, 1'000 - stats.settled_early);
    EXPECT_EQ(bed.open.oldest(), stats.settled_early + 1) << "those that began first have gone";
}

TEST(OpenTraces, knowsTheRecordThatTheOldestTraceBeganIn) {
    Bed bed;
    bed.send({call("c1", "lost").trace("one")});
    bed.send({call("c1", "lost").trace("two")});
    bed.send({call("c2", "lost").trace("one")});
    EXPECT_EQ(bed.open.oldest(), 1u);
    bed.send({step("s1", "").trace("one")});  // the root: this one settles first
    bed.pass(Nanos::seconds(6));
    EXPECT_EQ(bed.open.oldest(), 2u);
}

TEST(OpenTraces, aFullTableSaysSo) {
    Bed bed({.bytes = 1'000});
    bed.send({call("c1", "")});
    EXPECT_FALSE(bed.open.full());
    for (int number = 0; number < 100; ++number) bed.send({call(fmt::format("c{}", number), "lost")});
    EXPECT_TRUE(bed.open.full());
    bed.settle();
    EXPECT_FALSE(bed.open.full());
}

// -- content of log events

TEST(OpenTraces, joinsContentThatCameBeforeItsSpan) {
    Bed bed;
    bed.open.content({bed.tenant, 1, noon},
                     spans_of({message_of("c1", "first"), message_of("c1", "second")}));
    bed.open.content({bed.tenant, 2, noon}, spans_of({answer_of("c1", "hello there")}));
    bed.send({step("s0", ""), call("c1", "s0"), call("c2", "s0")});
    bed.settle_all();
    const SpanBatch rows = stored_spans(bed.store);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_THAT(std::string(rows.input_messages[1]), testing::ContainsRegex("first.*second"));
    EXPECT_EQ(rows.output_text[1], "hello there");
    EXPECT_THAT(std::string(rows.search_text[1]), testing::HasSubstr("hello"));
    EXPECT_EQ(rows.output_text[2], "");
    EXPECT_TRUE(bed.joins.empty());
    EXPECT_EQ(bed.open.stats().joined_events, 3u);
}

TEST(OpenTraces, asksForContentThatCameAfterItsSpanToBeJoined) {
    Bed bed;
    bed.send({step("s0", ""), call("c1", "s0")});
    bed.open.content({bed.tenant, 2, noon}, spans_of({answer_of("c1", "one"), answer_of("s0", "two")}));
    bed.settle();
    EXPECT_THAT(bed.joins, testing::ElementsAre("one@1", "two@0"));
}

TEST(OpenTraces, countsContentWhoseSpanNeverComes) {
    Bed bed;
    bed.open.content({bed.tenant, 1, noon}, spans_of({answer_of("lost", "one")}));
    bed.send({step("s1", "lost")});  // names the span, but is not it
    bed.settle_all();
    EXPECT_EQ(bed.open.stats().unmatched_events, 1u);
    EXPECT_EQ(bed.open.stats().joined_events, 0u);
}

TEST(OpenTraces, findsTheSpanOfContentByTheIdOfTheAnswer) {
    Bed bed;
    TestRow answer = answer_of("c1", "by id").set("response_id", std::string("resp-1"));
    answer.set("trace_id", std::string(16, '\0')).set("span_id", std::string(8, '\0'));
    bed.send({step("s0", ""), call("c1", "s0").set("response_id", std::string("resp-1"))});
    bed.open.content({bed.tenant, 2, noon}, spans_of({answer}));
    const Tenant other{.org = "other", .project = "default", .key_id = ""};
    bed.open.content({other, 3, noon}, spans_of({answer}));
    bed.settle();
    EXPECT_THAT(bed.joins, testing::ElementsAre("by id@1"));
    EXPECT_EQ(bed.open.stats().unmatched_events, 1u) << "another's response";

    bed.send({call("c2", "s0").set("response_id", std::string("resp-1"))});
    bed.open.content({bed.tenant, 4, noon}, spans_of({answer}));
    bed.settle();
    EXPECT_EQ(bed.joins.size(), 1u) << "two spans with this response: nobody knows whose it is";
    EXPECT_EQ(bed.open.stats().unmatched_events, 2u);
}

TEST(OpenTraces, joinsManyEventsOfManySpansInOneTrace) {
    Bed bed;
    SpanBatch events;
    std::vector<TestRow> rows;
    for (int number = 0; number < 2'000; ++number) {
        const std::string name = fmt::format("c{}", number);
        append_rows(events, spans_of({answer_of(name, name)}));
        rows.push_back(call(name, "lost"));
    }
    bed.open.content({bed.tenant, 1, noon}, events);
    bed.send(rows);
    const SpanBatch stored = stored_spans(bed.store);
    for (std::size_t row = 0; row < stored.size(); ++row)
        ASSERT_EQ(stored.output_text[row], stored.span_name[row]);
}

// -- running spans

TEST(OpenTraces, aRunningSpanEndsWhenItComesWithAnEnd) {
    Bed bed;
    const auto running = [&] {
        return shown(bed.open.running_spans().find("default", {}, std::nullopt).spans);
    };
    bed.open.running({bed.tenant, 1, noon}, spans_of({step("s1", ""), step("s2", "s1")}));
    EXPECT_EQ(running(), "s1\ns2\n");
    bed.send({step("s2", "s1")});
    EXPECT_EQ(running(), "s1\n");
    bed.open.running({bed.tenant, 3, noon}, spans_of({step("s2", "s1")}));
    EXPECT_EQ(running(), "s1\n") << "it has ended";
    bed.settle_all();
    EXPECT_EQ(running(), "s1\n") << "its trace has settled, and it runs";
    EXPECT_EQ(bed.open.stats().bytes, 0u);
    bed.now = bed.now + Nanos::hours(25);
    bed.settle();
    EXPECT_EQ(running(), "") << "nobody waits for ever";
}

// -- after a crash

TEST(OpenTraces, saysAgainWhatHasToChangeInReplayedRows) {
    Bed bed;
    bed.replayed = true;
    // The store has the wrapper in the state of the first try: its call had not come yet.
    bed.write(spans_of({call("w1", "").set("is_root", std::int64_t{1})}));
    EXPECT_EQ(bed.open.spans({bed.tenant, 1, noon, true}, spans_of({call("w1", "")})).size(), 1u);
    bed.send({call("c2", "w1")});
    bed.settle_all();
    EXPECT_EQ(bed.stored(), "w1 (10+5) root\nc2 10+5 call\n");
}

TEST(OpenTraces, agentsThatWereSettledBeforeARestartDoNotCountBesideALaterCall) {
    Bed bed;
    bed.replayed = true;
    bed.write(spans_of({call("a1", "").set("kind", std::string("agent")).set("is_root", std::int64_t{1})}));
    bed.open.spans({bed.tenant, 1, noon, true}, spans_of({agent("a1", "")}));
    bed.replayed = false;
    bed.send({call("c2", "a1")});
    bed.settle_all();
    EXPECT_EQ(bed.stored(), "a1 (10+5) root\nc2 10+5 call\n");
}

TEST(OpenTraces, joinsContentToReplayedRowsFromTheStart) {
    Bed bed;
    bed.replayed = true;
    // The store has the first message of two already, but the table does not know.
    SpanBatch joined = spans_of({call("c1", "")});
    merge_content(joined, 0, spans_of({message_of("c1", "first")}), 0);
    bed.write(joined);
    bed.open.spans({bed.tenant, 1, noon, true}, spans_of({call("c1", "")}));
    bed.open.content({bed.tenant, 2, noon, true}, spans_of({message_of("c1", "first")}));
    bed.settle();
    bed.open.content({bed.tenant, 3, noon}, spans_of({message_of("c1", "second")}));
    bed.settle();
    EXPECT_TRUE(bed.joins.empty());
    const SpanBatch rows = stored_spans(bed.store);
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_THAT(std::string(rows.input_messages[0]), testing::ContainsRegex("first.*second"));
    EXPECT_THAT(std::string(rows.input_messages[0]), testing::Not(testing::ContainsRegex("first.*first")));
}

}  // namespace
}  // namespace obs
