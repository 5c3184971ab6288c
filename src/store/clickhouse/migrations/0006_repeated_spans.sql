-- Which of the rows of a span that came twice is meant.
DROP TABLE amended_keys SYNC;

CREATE TABLE amended_keys (
    ts DateTime64(9, 'UTC'),
    trace_id FixedString(16),
    span_id FixedString(8),
    seq UInt64
)
ENGINE = Memory;
