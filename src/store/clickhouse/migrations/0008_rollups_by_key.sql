-- Hours by user, session, tag and error, as days have them; what failed stands under its error in both.
CREATE TABLE rollup_hour_keys (
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
PRIMARY KEY (org_id, project_id, dimension, bucket)
ORDER BY (org_id, project_id, dimension, bucket, key);

-- What was computed without them is stale, as far as its spans are still there.
INSERT INTO rollup_buckets
SELECT level, bucket,
       (SELECT max(v) + 1 FROM (SELECT max(version) AS v FROM rollup_buckets
                                UNION ALL SELECT max(version) AS v FROM rollup_minutes
                                UNION ALL SELECT max(version) AS v FROM rollup_hours
                                UNION ALL SELECT max(version) AS v FROM rollup_days)),
       0
FROM rollup_buckets
WHERE level IN (1, 2) AND bucket >= (SELECT max(if(level = 3, bucket, toDateTime(0, 'UTC'))) FROM rollup_buckets)
GROUP BY level, bucket;
