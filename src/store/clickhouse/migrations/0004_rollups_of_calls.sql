-- Rollups know the model that was asked for, tell model calls from wrappers, and keep the ends of durations.
-- Days have a group for spans without a user, session or tag (its key is empty).
ALTER TABLE rollup_minutes
    ADD COLUMN request_model LowCardinality(String) AFTER status_code,
    ADD COLUMN is_call UInt8 AFTER request_model,
    ADD COLUMN duration_least Int64 AFTER ttft_rows,
    ADD COLUMN duration_most Int64 AFTER duration_least,
    MODIFY ORDER BY (org_id, project_id, bucket, service_name, provider, model, environment, kind, status_code,
                     request_model, is_call);

ALTER TABLE rollup_hours
    ADD COLUMN request_model LowCardinality(String) AFTER status_code,
    ADD COLUMN is_call UInt8 AFTER request_model,
    ADD COLUMN duration_least Int64 AFTER ttft_rows,
    ADD COLUMN duration_most Int64 AFTER duration_least,
    MODIFY ORDER BY (org_id, project_id, bucket, service_name, provider, model, environment, kind, status_code,
                     request_model, is_call);

-- What was computed without them is stale, as far as its spans are still there.
INSERT INTO rollup_buckets
SELECT level, bucket,
       (SELECT max(v) + 1 FROM (SELECT max(version) AS v FROM rollup_buckets
                                UNION ALL SELECT max(version) AS v FROM rollup_minutes
                                UNION ALL SELECT max(version) AS v FROM rollup_hours
                                UNION ALL SELECT max(version) AS v FROM rollup_days)),
       0
FROM rollup_buckets
WHERE level != 3 AND bucket >= (SELECT max(if(level = 3, bucket, toDateTime(0, 'UTC'))) FROM rollup_buckets)
GROUP BY level, bucket;
