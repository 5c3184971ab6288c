#include "store/memory/memory_store.h"

#include <chrono>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/contract_test.h"

namespace obs::test {

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract,
                         testing::Values(StoreMaker{"memory",
                                                    [] { return std::make_shared<MemoryStore>(); }}),
                         store_name);

namespace {

using namespace std::chrono_literals;

RowQuestion everything() {
    RowQuestion question(Scope("o", {}));
    question.limit = 1'000'000;
    return question;
}

TestRow row(std::string_view name) {
    return span(name).set("org_id", std::string("o"));
}

std::size_t count(MemoryStore& store) {
    return size_of(store.rows(everything(), {})->batch);
}

TEST(MemoryStore, drops_the_oldest_rows_when_it_is_full) {
    MemoryStore store({.most_bytes = 64 << 10});
    for (int i = 0; i < 100; ++i) {
        const std::vector<TestRow> rows{row(fmt::format("s{}", i)).at(24h * i).input(std::string(2000, 'x'))};
        ASSERT_TRUE(store.write(batch_of(rows), fmt::format("w{}", i)).has_value());
    }
    const std::size_t kept = count(store);
    EXPECT_GT(kept, 10u);
    EXPECT_LT(kept, 33u);
    EXPECT_EQ(store.dropped_rows() + kept, 100u);
    RowQuestion newest = everything();
    newest.limit = 1;
    EXPECT_EQ(std::get<SpanBatch>(store.rows(newest, {})->batch).span_name[0], "s99");
}

TEST(MemoryStore, refuses_a_write_that_can_never_fit) {
    MemoryStore store({.most_bytes = 1024});
    const std::vector<TestRow> rows{row("big").input(std::string(2000, 'x'))};
    const Result<void> written = store.write(batch_of(rows), "w");
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().kind, ErrorKind::invalid_input);
}

TEST(MemoryStore, refuses_a_write_over_two_days) {
    MemoryStore store;
    const std::vector<TestRow> rows{row("a"), row("b").at(24h)};
    const Result<void> written = store.write(batch_of(rows), "w");
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().kind, ErrorKind::invalid_input);
}

TEST(MemoryStore, forgets_the_oldest_ids_first) {
    MemoryStore store({.most_ids = 2});
    for (const char* id : {"1", "2", "3"})
        ASSERT_TRUE(store.write(batch_of(std::vector{row(id)}), id).has_value());
    ASSERT_TRUE(store.write(batch_of(std::vector{row("3")}), "3").has_value());
    EXPECT_EQ(count(store), 3u);
    ASSERT_TRUE(store.write(batch_of(std::vector{row("1")}), "1").has_value());
    EXPECT_EQ(count(store), 4u);
}

TEST(MemoryStore, merges_small_writes) {
    MemoryStore store;
    for (int i = 0; i < 1000; ++i) {
        const std::vector<TestRow> rows{row(fmt::format("s{}", i)).at(std::chrono::seconds(i * 7919 % 1000))};
        ASSERT_TRUE(store.write(batch_of(rows), fmt::format("w{}", i)).has_value());
    }
    EXPECT_EQ(count(store), 1000u);
    EXPECT_LT(store.health().parts, 40u);
}

TEST(MemoryStore, refuses_groups_over_budget) {
    MemoryStore store;
    std::vector<TestRow> rows;
    for (int i = 0; i < 10'000; ++i)
        rows.push_back(row(fmt::format("s{}", i)).at(std::chrono::milliseconds(i)));
    ASSERT_TRUE(store.write(batch_of(rows), "w").has_value());
    GroupQuestion question(Scope("o", {}));
    question.aggregates.resize(1);
    ASSERT_TRUE(store.groups(question, {}).has_value());
    question.budget.rows = 100;
    const Result<Table> table = store.groups(question, {});
    ASSERT_FALSE(table.has_value());
    EXPECT_EQ(table.error().kind, ErrorKind::too_large);
}

}  // namespace

}  // namespace obs::test
