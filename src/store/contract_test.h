// What every SpanStore must do. A store's test program links obs_store_contract and says how to make one:
//
//     INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, testing::Values(obs::test::StoreMaker{
//         "memory", [] { return std::make_shared<MemoryStore>(); }}), obs::test::store_name);
//
// Every test works in an organisation of its own, so a store may serve all tests of a program.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "store/span_store.h"
#include "store/test_rows.h"

namespace obs::test {

struct StoreMaker {
    std::string name;
    std::function<std::shared_ptr<SpanStore>()> make;  // null when it cannot be made
};
void PrintTo(const StoreMaker& maker, std::ostream* out);
std::string store_name(const testing::TestParamInfo<StoreMaker>& test);

class StoreContract : public testing::TestWithParam<StoreMaker> {
protected:
    void SetUp() override;

    SpanStore& store() { return *store_; }
    const std::string& org() const { return org_; }

    // Rows of one table; one write a day. Rows get the test's organisation, project `p` and the next sequence
    // unless they say otherwise.
    std::vector<TestRow> write(std::vector<TestRow> rows);
    void write_under(std::string_view id, std::vector<TestRow> rows);
    // An id nobody has used in this organisation.
    std::string new_id();
    std::uint64_t last_seq() const { return seq_; }

    RowQuestion rows_where(Filter filter = {}, TableId table = TableId::spans) const;
    GroupQuestion groups_where(Filter filter = {}) const;
    std::vector<TestRow> ask(const RowQuestion& question);
    // The names of the spans found, in their order, separated by spaces.
    std::string names(const RowQuestion& question);
    std::string names(Filter filter) { return names(rows_where(std::move(filter))); }
    // The table as text: cells separated by spaces, rows by `; `, empty cells as `-`.
    std::string figures(const GroupQuestion& question);
    // Where the row stands in the order of the question.
    static RowQuestion::Position position_of(const RowQuestion& question, const TestRow& row);
    // Page after page of `question`, calling `between` after each.
    std::vector<TestRow> walk(RowQuestion question, const std::function<void()>& between = {});

private:
    void fill_in(TestRow& row);

    std::shared_ptr<SpanStore> store_;
    std::string org_;
    std::uint64_t seq_ = 0;
    int writes_ = 0;
};

}  // namespace obs::test
