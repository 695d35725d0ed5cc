-- LZ4 for the large columns, as it takes a tenth of PostgreSQL's own compression's time. What is stored already stays as it
-- is, and a server that was built without LZ4 goes on with its own.
DO $$
BEGIN
    ALTER TABLE outbox ALTER COLUMN payload SET COMPRESSION lz4;
    ALTER TABLE teacher_calls ALTER COLUMN response SET COMPRESSION lz4;
    ALTER TABLE traces ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE trace_versions ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE key_steps ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE evaluation_results ALTER COLUMN output SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
