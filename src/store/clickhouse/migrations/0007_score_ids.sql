-- A score is found by its id. Frozen: what comes later is a file of its own.

ALTER TABLE scores ADD INDEX by_score_id score_id TYPE bloom_filter(0.01) GRANULARITY 4;
