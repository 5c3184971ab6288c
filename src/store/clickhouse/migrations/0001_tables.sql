-- The tables of model/schema.h. Frozen: what comes later is a file of its own.
--
-- Settings here are of the tables; what makes an insert durable is the engine's own (engine.cpp).

CREATE TABLE spans (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    seq UInt64,
    amended_seq UInt64,
    ts DateTime64(9, 'UTC'),
    duration Int64,
    trace_id FixedString(16),
    span_id FixedString(8),
    parent_span_id FixedString(8),
    trace_state String,
    span_name LowCardinality(String),
    span_kind UInt8,
    kind LowCardinality(String),
    is_root UInt8,
    is_call UInt8,
    operation_type LowCardinality(String),
    convention LowCardinality(String),
    mapping_version UInt16,
    service_name LowCardinality(String),
    environment LowCardinality(String),
    release LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    resource LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    request_model LowCardinality(String),
    framework LowCardinality(String),
    response_id String,
    status_code UInt8,
    error_code LowCardinality(String),
    error_message String CODEC(ZSTD(1)),
    input_text String CODEC(ZSTD(1)),
    output_text String CODEC(ZSTD(1)),
    system_prompt String CODEC(ZSTD(1)),
    input_messages String CODEC(ZSTD(1)),
    output_messages String CODEC(ZSTD(1)),
    tool_calls String CODEC(ZSTD(1)),
    tool_definitions String CODEC(ZSTD(1)),
    prompt_tokens Nullable(Int64),
    completion_tokens Nullable(Int64),
    total_tokens Nullable(Int64),
    cached_input_tokens Nullable(Int64),
    cache_write_tokens Nullable(Int64),
    reasoning_tokens Nullable(Int64),
    audio_input_tokens Nullable(Int64),
    audio_output_tokens Nullable(Int64),
    image_input_tokens Nullable(Int64),
    image_output_tokens Nullable(Int64),
    rollup_prompt_tokens Nullable(Int64),
    rollup_completion_tokens Nullable(Int64),
    rollup_cost Nullable(Decimal(18, 9)),
    prompt_cost Nullable(Decimal(18, 9)),
    completion_cost Nullable(Decimal(18, 9)),
    total_cost Nullable(Decimal(18, 9)),
    cost_source LowCardinality(String),
    price_rule LowCardinality(String),
    client_cost Nullable(Decimal(18, 9)),
    ttft Nullable(Int64),
    streaming Nullable(UInt8),
    temperature Nullable(Float64),
    top_p Nullable(Float64),
    top_k Nullable(Float64),
    max_tokens Nullable(Int64),
    seed Nullable(Int64),
    stop_reason LowCardinality(String),
    tool_name LowCardinality(String),
    agent_name LowCardinality(String),
    user_id String,
    session_id String,
    tags Array(String),
    prompt_name LowCardinality(String),
    prompt_version LowCardinality(String),
    flags UInt32,
    sample_rate Nullable(Float64),
    attributes Map(LowCardinality(String), String),
    attributes_types Array(UInt8),
    events String CODEC(ZSTD(1)),
    links String,
    search_text String CODEC(ZSTD(1)),
    INDEX by_trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_response_id response_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX attribute_values mapValues(attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX search_terms search_text TYPE text(tokenizer = splitByString([' ']))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
PRIMARY KEY (org_id, project_id, ts)
ORDER BY (org_id, project_id, ts, trace_id, span_id)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 10000,
    nullable_serialization_version = 'allow_sparse',
    enable_block_number_column = 1,
    enable_block_offset_column = 1;

CREATE TABLE logs (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    seq UInt64,
    ts DateTime64(9, 'UTC'),
    observed_ts DateTime64(9, 'UTC'),
    trace_id FixedString(16),
    span_id FixedString(8),
    severity_number UInt8,
    severity_text LowCardinality(String),
    event_name LowCardinality(String),
    body String CODEC(ZSTD(1)),
    service_name LowCardinality(String),
    environment LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    resource LowCardinality(String),
    flags UInt32,
    attributes Map(LowCardinality(String), String),
    attributes_types Array(UInt8),
    search_text String CODEC(ZSTD(1)),
    INDEX by_trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX attribute_values mapValues(attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX search_terms search_text TYPE text(tokenizer = splitByString([' ']))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
PRIMARY KEY (org_id, project_id, ts)
ORDER BY (org_id, project_id, ts, trace_id, span_id)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 10000,
    nullable_serialization_version = 'allow_sparse',
    enable_block_number_column = 1,
    enable_block_offset_column = 1;

CREATE TABLE metric_points (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    seq UInt64,
    ts DateTime64(9, 'UTC'),
    start_ts DateTime64(9, 'UTC'),
    metric_name LowCardinality(String),
    metric_type LowCardinality(String),
    unit LowCardinality(String),
    description LowCardinality(String),
    temporality UInt8,
    is_monotonic UInt8,
    `value` Nullable(Float64),
    value_int Nullable(Int64),
    `count` Nullable(Int64),
    `sum` Nullable(Float64),
    `min` Nullable(Float64),
    `max` Nullable(Float64),
    distribution String,
    exemplars String,
    provider LowCardinality(String),
    model LowCardinality(String),
    service_name LowCardinality(String),
    environment LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    resource LowCardinality(String),
    flags UInt32,
    attributes Map(LowCardinality(String), String),
    attributes_types Array(UInt8),
    INDEX attribute_values mapValues(attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
PRIMARY KEY (org_id, project_id, ts)
ORDER BY (org_id, project_id, ts)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 10000,
    nullable_serialization_version = 'allow_sparse',
    enable_block_number_column = 1,
    enable_block_offset_column = 1;

CREATE TABLE scores (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    seq UInt64,
    ts DateTime64(9, 'UTC'),
    score_id String,
    trace_id FixedString(16),
    span_id FixedString(8),
    session_id String,
    name LowCardinality(String),
    `value` Nullable(Float64),
    label LowCardinality(String),
    comment String CODEC(ZSTD(1)),
    source LowCardinality(String),
    user_id String,
    attributes Map(LowCardinality(String), String),
    attributes_types Array(UInt8),
    INDEX by_trace_id trace_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_session_id session_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
PRIMARY KEY (org_id, project_id, ts)
ORDER BY (org_id, project_id, ts, trace_id, span_id)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 10000,
    nullable_serialization_version = 'allow_sparse',
    enable_block_number_column = 1,
    enable_block_offset_column = 1;

-- What an amendment speaks of, only while it runs: keys, and the new content of the rows that get some.
CREATE TABLE amended_keys (
    ts DateTime64(9, 'UTC'),
    trace_id FixedString(16),
    span_id FixedString(8)
)
ENGINE = Memory;

CREATE TABLE amended_content (
    ts DateTime64(9, 'UTC'),
    trace_id FixedString(16),
    span_id FixedString(8),
    error_message String,
    input_text String,
    output_text String,
    system_prompt String,
    input_messages String,
    output_messages String,
    tool_calls String,
    tool_definitions String,
    stop_reason String,
    flags UInt32,
    events String,
    search_text String
)
ENGINE = Join(ANY, LEFT, ts, trace_id, span_id)
SETTINGS persistent = 0;
