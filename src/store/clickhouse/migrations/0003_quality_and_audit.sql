-- What is computed from texts, and who asked for what. Frozen: what comes later is a file of its own.

ALTER TABLE spans
    ADD COLUMN input_sentiment Nullable(Float64) AFTER sample_rate,
    ADD COLUMN output_sentiment Nullable(Float64) AFTER input_sentiment,
    ADD COLUMN coherence Nullable(Float64) AFTER output_sentiment;

DROP TABLE amended_content SYNC;

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
    input_sentiment Nullable(Float64),
    output_sentiment Nullable(Float64),
    coherence Nullable(Float64),
    events String,
    search_text String
)
ENGINE = Join(ANY, LEFT, ts, trace_id, span_id)
SETTINGS persistent = 0;

CREATE TABLE audit (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    seq UInt64,
    ts DateTime64(9, 'UTC'),
    user_id String,
    role LowCardinality(String),
    action LowCardinality(String),
    resource_type LowCardinality(String),
    resource_id String,
    method LowCardinality(String),
    route LowCardinality(String),
    http_status UInt16,
    success UInt8,
    error_code LowCardinality(String),
    duration Int64,
    ip_address String,
    user_agent LowCardinality(String),
    request_id String,
    attributes Map(LowCardinality(String), String),
    attributes_types Array(UInt8),
    INDEX by_user_id user_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_resource_id resource_id TYPE bloom_filter(0.01) GRANULARITY 4
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
