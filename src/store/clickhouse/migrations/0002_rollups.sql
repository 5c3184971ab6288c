-- Rollups (store/rollup.h). Frozen: what comes later is a file of its own.

-- Which computation of a bucket counts: the newest, once `through` is not 0. Levels: 0 minute, 1 hour, 2 day;
-- 3 is no bucket: spans from there on are all stored.
CREATE TABLE rollup_buckets (
    level UInt8,
    bucket DateTime('UTC'),
    version UInt64,
    through UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (level, bucket);

CREATE TABLE rollup_minutes (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    bucket DateTime('UTC'),
    service_name LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    environment LowCardinality(String),
    kind LowCardinality(String),
    status_code UInt8,
    version UInt64,
    spans UInt64,
    roots UInt64,
    calls UInt64,
    errors UInt64,
    prompt_tokens Int128,
    prompt_tokens_rows UInt64,
    completion_tokens Int128,
    completion_tokens_rows UInt64,
    total_tokens Int128,
    total_tokens_rows UInt64,
    cached_input_tokens Int128,
    cached_input_tokens_rows UInt64,
    cache_write_tokens Int128,
    cache_write_tokens_rows UInt64,
    reasoning_tokens Int128,
    reasoning_tokens_rows UInt64,
    audio_input_tokens Int128,
    audio_input_tokens_rows UInt64,
    audio_output_tokens Int128,
    audio_output_tokens_rows UInt64,
    image_input_tokens Int128,
    image_input_tokens_rows UInt64,
    image_output_tokens Int128,
    image_output_tokens_rows UInt64,
    prompt_cost Decimal(38, 9),
    prompt_cost_rows UInt64,
    completion_cost Decimal(38, 9),
    completion_cost_rows UInt64,
    total_cost Decimal(38, 9),
    total_cost_rows UInt64,
    duration Int128,
    duration_rows UInt64,
    ttft Int128,
    ttft_rows UInt64,
    duration_sketch AggregateFunction(quantileDD(0.005, 0.5), Int64),
    ttft_sketch AggregateFunction(quantileDD(0.005, 0.5), Int64)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toDate(bucket)
PRIMARY KEY (org_id, project_id, bucket)
ORDER BY (org_id, project_id, bucket, service_name, provider, model, environment, kind, status_code);

CREATE TABLE rollup_hours (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    bucket DateTime('UTC'),
    service_name LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    environment LowCardinality(String),
    kind LowCardinality(String),
    status_code UInt8,
    version UInt64,
    spans UInt64,
    roots UInt64,
    calls UInt64,
    errors UInt64,
    prompt_tokens Int128,
    prompt_tokens_rows UInt64,
    completion_tokens Int128,
    completion_tokens_rows UInt64,
    total_tokens Int128,
    total_tokens_rows UInt64,
    cached_input_tokens Int128,
    cached_input_tokens_rows UInt64,
    cache_write_tokens Int128,
    cache_write_tokens_rows UInt64,
    reasoning_tokens Int128,
    reasoning_tokens_rows UInt64,
    audio_input_tokens Int128,
    audio_input_tokens_rows UInt64,
    audio_output_tokens Int128,
    audio_output_tokens_rows UInt64,
    image_input_tokens Int128,
    image_input_tokens_rows UInt64,
    image_output_tokens Int128,
    image_output_tokens_rows UInt64,
    prompt_cost Decimal(38, 9),
    prompt_cost_rows UInt64,
    completion_cost Decimal(38, 9),
    completion_cost_rows UInt64,
    total_cost Decimal(38, 9),
    total_cost_rows UInt64,
    duration Int128,
    duration_rows UInt64,
    ttft Int128,
    ttft_rows UInt64,
    duration_sketch AggregateFunction(quantileDD(0.005, 0.5), Int64),
    ttft_sketch AggregateFunction(quantileDD(0.005, 0.5), Int64)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(bucket)
PRIMARY KEY (org_id, project_id, bucket)
ORDER BY (org_id, project_id, bucket, service_name, provider, model, environment, kind, status_code);

CREATE TABLE rollup_days (
    org_id LowCardinality(String),
    project_id LowCardinality(String),
    bucket DateTime('UTC'),
    dimension LowCardinality(String),
    key String,
    version UInt64,
    spans UInt64,
    roots UInt64,
    calls UInt64,
    errors UInt64,
    prompt_tokens Int128,
    prompt_tokens_rows UInt64,
    completion_tokens Int128,
    completion_tokens_rows UInt64,
    total_tokens Int128,
    total_tokens_rows UInt64,
    cached_input_tokens Int128,
    cached_input_tokens_rows UInt64,
    cache_write_tokens Int128,
    cache_write_tokens_rows UInt64,
    reasoning_tokens Int128,
    reasoning_tokens_rows UInt64,
    audio_input_tokens Int128,
    audio_input_tokens_rows UInt64,
    audio_output_tokens Int128,
    audio_output_tokens_rows UInt64,
    image_input_tokens Int128,
    image_input_tokens_rows UInt64,
    image_output_tokens Int128,
    image_output_tokens_rows UInt64,
    prompt_cost Decimal(38, 9),
    prompt_cost_rows UInt64,
    completion_cost Decimal(38, 9),
    completion_cost_rows UInt64,
    total_cost Decimal(38, 9),
    total_cost_rows UInt64,
    duration Int128,
    duration_rows UInt64,
    ttft Int128,
    ttft_rows UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(bucket)
PRIMARY KEY (org_id, project_id, bucket)
ORDER BY (org_id, project_id, bucket, dimension, key);
