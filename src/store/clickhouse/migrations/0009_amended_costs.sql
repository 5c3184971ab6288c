-- What calls cost that are priced anew. Frozen: what comes later is a file of its own.

CREATE TABLE amended_costs (
    ts DateTime64(9, 'UTC'),
    trace_id FixedString(16),
    span_id FixedString(8),
    seq UInt64,
    prompt_cost Nullable(Decimal(18, 9)),
    completion_cost Nullable(Decimal(18, 9)),
    total_cost Nullable(Decimal(18, 9)),
    cost_source String,
    price_rule String
)
ENGINE = Join(ANY, LEFT, ts, trace_id, span_id, seq)
SETTINGS persistent = 0;
