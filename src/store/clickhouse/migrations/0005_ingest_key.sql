-- Which key a span was sent with, for what is spent by key.
ALTER TABLE spans
    ADD COLUMN ingest_key LowCardinality(String) AFTER tags;
