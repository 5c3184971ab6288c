#include "query/trace_tree.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace obs::query {

namespace {

constexpr std::uint32_t none = UINT32_MAX;
using Rows = std::vector<std::uint32_t>;

struct Key {
    TraceId trace;
    SpanId span;
    bool operator==(const Key&) const = default;
};
struct HashKey {
    std::size_t operator()(const Key& key) const noexcept {
        return std::hash<TraceId>{}(key.trace) * 31 + std::hash<SpanId>{}(key.span);
    }
};

Rows by_start(const SpanBatch& spans) {
    Rows order(spans.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {},
                      [&](std::uint32_t row) { return std::tuple(spans.ts[row], spans.span_id[row], row); });
    return order;
}

// The row of each row's parent; none for roots, orphans and spans that are their own parent.
Rows parents_of(const SpanBatch& spans, const Rows& order) {
    std::unordered_map<Key, std::uint32_t, HashKey> rows;
    rows.reserve(order.size());
    for (const std::uint32_t row : order) rows.try_emplace({spans.trace_id[row], spans.span_id[row]}, row);
    Rows parents(order.size(), none);
    for (const std::uint32_t row : order) {
        if (spans.parent_span_id[row].is_zero() || spans.parent_span_id[row] == spans.span_id[row]) continue;
        const auto found = rows.find({spans.trace_id[row], spans.parent_span_id[row]});
        if (found != rows.end()) parents[row] = found->second;
    }
    return parents;
}

// Each walk goes up until it meets a row that was seen; one seen in the same walk closes a circle.
void break_circles(const Rows& order, Rows& parents) {
    Rows rank(order.size()), walk_of(order.size(), none);
    for (std::uint32_t place = 0; place < order.size(); ++place) rank[order[place]] = place;
    for (std::uint32_t walk = 0; walk < order.size(); ++walk) {
        std::uint32_t row = order[walk];
        while (row != none && walk_of[row] == none) {
            walk_of[row] = walk;
            row = parents[row];
        }
        if (row == none || walk_of[row] != walk) continue;
        std::uint32_t earliest = row;
        for (std::uint32_t next = parents[row]; next != row; next = parents[next])
            if (rank[next] < rank[earliest]) earliest = next;
        parents[earliest] = none;
    }
}

// Rows behind their parents, breadth first.
Rows from_the_top(const Rows& order, const Rows& parents) {
    std::vector<std::uint32_t> counts(order.size() + 1, 0);
    for (const std::uint32_t row : order)
        if (parents[row] != none) ++counts[parents[row]];
    // Leaves first, like peeling: then turned round.
    Rows peeled;
    peeled.reserve(order.size());
    for (const std::uint32_t row : order)
        if (counts[row] == 0) peeled.push_back(row);
    for (std::size_t at = 0; at < peeled.size(); ++at) {
        const std::uint32_t parent = parents[peeled[at]];
        if (parent != none && --counts[parent] == 0) peeled.push_back(parent);
    }
    std::ranges::reverse(peeled);
    return peeled;
}

void flatten(const Rows& order, Rows& parents) {
    std::vector<std::uint32_t> depth(parents.size(), 0);
    for (const std::uint32_t row : from_the_top(order, parents)) {
        const std::uint32_t parent = parents[row];
        if (parent == none) continue;
        depth[row] = depth[parent] + 1;
        if (depth[row] <= TraceTree::depth_limit) continue;
        parents[row] = parents[parent];
        depth[row] = depth[parent];
    }
}

}  // namespace

TraceTree::TraceTree(const SpanBatch& spans) : begins_(spans.size() + 2, 0), rows_(spans.size()) {
    const Rows order = by_start(spans);
    Rows parents = parents_of(spans, order);
    break_circles(order, parents);
    flatten(order, parents);
    const auto slot = [&](std::uint32_t row) {
        return parents[row] == none ? 0 : std::size_t{parents[row]} + 1;
    };
    for (const std::uint32_t row : order) ++begins_[slot(row) + 1];
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    std::vector<std::uint32_t> next(begins_.begin(), begins_.end() - 1);
    for (const std::uint32_t row : order) rows_[next[slot(row)]++] = row;
}

}  // namespace obs::query
