// The order of rows: the fields of the question, then ts, trace_id and span_id, so that no two spans are
// equal.
#pragma once

#include <optional>
#include <vector>

#include "model/question.h"
#include "store/field.h"

namespace obs {

// Where a row stands. Texts point into the batch it was made from.
struct SortKey {
    std::vector<Value> values;  // of the question's order; empty when ts alone decides
    UnixNanos ts;
    TraceId trace_id;
    SpanId span_id;
};

// A field of the order goes its own way; ts and ids go the way of the first field. Missing values come last
// whatever the way, and NaN just before them.
class RowOrder {
public:
    explicit RowOrder(const RowQuestion& question);

    // Whether ts alone decides, so that a scan by time finds rows in their order.
    bool by_time() const { return fields_.empty(); }
    bool descending() const { return descending_; }
    bool before(const SortKey& a, const SortKey& b) const;
    // The question's `after`, which must outlive the key.
    SortKey key_of(const RowQuestion::Position& position) const;

    // Makes the keys of one batch's rows; the batch must outlive it.
    class Keys {
    public:
        Keys(const RowOrder& order, const AnyBatch& batch);
        SortKey operator()(std::size_t row) const;

    private:
        std::vector<FieldReader> fields_;
        const column::Time* ts_;
        const column::TraceIds* trace_id_;  // null where the table has none
        const column::SpanIds* span_id_;
    };

private:
    std::vector<Order> fields_;
    bool descending_ = true;
};

}  // namespace obs
