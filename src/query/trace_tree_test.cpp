#include "query/trace_tree.h"

#include <functional>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace obs::query {
namespace {

SpanId span_id(std::uint32_t number) {
    return *SpanId::from_hex(fmt::format("{:016x}", number));
}

struct Made {
    std::uint32_t id, parent;  // 0: none
    std::int64_t start;
};

SpanBatch batch_of(const std::vector<Made>& made) {
    SpanBatch spans;
    for (std::size_t row = 0; row < made.size(); ++row) {
        spans.ts.put(row, UnixNanos{made[row].start});
        spans.trace_id.put(row, *TraceId::from_hex("000000000000000000000000000000aa"));
        spans.span_id.put(row, span_id(made[row].id));
        spans.parent_span_id.put(row, span_id(made[row].parent));
    }
    return spans;
}

// `1(2 3(4))`
std::string shape(const std::vector<Made>& made) {
    const TraceTree tree(batch_of(made));
    std::string text;
    std::function<void(std::span<const std::uint32_t>)> write = [&](std::span<const std::uint32_t> rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            text += fmt::format("{}{}", i == 0 ? "" : " ", made[rows[i]].id);
            if (tree.children(rows[i]).empty()) continue;
            text += '(';
            write(tree.children(rows[i]));
            text += ')';
        }
    };
    write(tree.top());
    return text;
}

struct ShapeCase {
    std::string what;
    std::vector<Made> spans;
    std::string shape;
};
class TraceTreeShape : public testing::TestWithParam<ShapeCase> {};
TEST_P(TraceTreeShape, isWhatTheParentsSay) {
    EXPECT_EQ(shape(GetParam().spans), GetParam().shape);
}
INSTANTIATE_TEST_SUITE_P(
    Shapes, TraceTreeShape,
    testing::Values(
        ShapeCase{"nothing", {}, ""}, ShapeCase{"one", {{1, 0, 0}}, "1"},
        ShapeCase{"children_in_the_order_of_their_start", {{1, 0, 0}, {3, 1, 9}, {2, 1, 5}}, "1(2 3)"},
        ShapeCase{"grandchildren_first_in_the_batch", {{3, 2, 2}, {2, 1, 1}, {1, 0, 0}}, "1(2(3))"},
        ShapeCase{"two_roots", {{1, 0, 0}, {2, 0, 1}}, "1 2"},
        ShapeCase{"an_orphan_stands_at_the_top", {{1, 0, 0}, {2, 99, 1}, {3, 2, 2}}, "1 2(3)"},
        ShapeCase{"its_own_parent", {{1, 1, 0}, {2, 1, 1}}, "1(2)"},
        ShapeCase{"a_circle_of_two", {{2, 1, 5}, {1, 2, 3}}, "1(2)"},
        ShapeCase{"a_circle_with_a_tail", {{1, 3, 1}, {2, 1, 2}, {3, 2, 3}, {4, 3, 4}}, "1(2(3(4)))"},
        ShapeCase{"a_span_that_came_twice", {{1, 0, 0}, {1, 0, 1}, {2, 1, 2}}, "1(2) 1"}),
    [](const auto& test) { return test.param.what; });

TEST(TraceTree, holdsAChainOf100000SpansAndIsNotDeeperThanItsLimit) {
    constexpr std::uint32_t length = 100'000;
    std::vector<Made> chain;
    for (std::uint32_t i = 1; i <= length; ++i) chain.push_back({i, i - 1, i});
    const TraceTree tree(batch_of(chain));
    std::size_t seen = 0, depth = 0;
    for (std::vector<std::uint32_t> level(tree.top().begin(), tree.top().end()); !level.empty(); ++depth) {
        seen += level.size();
        std::vector<std::uint32_t> next;
        for (const std::uint32_t row : level)
            next.insert(next.end(), tree.children(row).begin(), tree.children(row).end());
        level = std::move(next);
    }
    EXPECT_EQ(seen, length);
    EXPECT_EQ(depth, TraceTree::depth_limit + 1);
}

TEST(TraceTree, showsEveryRowOnceWhateverTheParents) {
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        std::vector<Made> spans;
        const auto count = static_cast<std::uint32_t>(random() % 40);
        for (std::uint32_t i = 0; i < count; ++i)
            spans.push_back({static_cast<std::uint32_t>(random() % 30 + 1),
                             static_cast<std::uint32_t>(random() % 32),
                             static_cast<std::int64_t>(random() % 10)});
        const TraceTree tree(batch_of(spans));
        std::vector<int> seen(count, 0);
        std::vector<std::uint32_t> open(tree.top().begin(), tree.top().end());
        while (!open.empty()) {
            const std::uint32_t row = open.back();
            open.pop_back();
            ASSERT_EQ(++seen[row], 1);
            open.insert(open.end(), tree.children(row).begin(), tree.children(row).end());
        }
        EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), count);
    }
}

}  // namespace
}  // namespace obs::query
