-- A lease's token is never used twice, however often the lease is given back and taken again: a holder that slept through
-- all of that still finds another's token. It starts above all that were given out while tokens began again at 1.
ALTER TABLE leases ALTER COLUMN token ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(
    pg_get_serial_sequence('leases', 'token'),
    (SELECT greatest(coalesce(max(token), 0), 1000000) FROM leases)
);

-- The rows that a stage trains on, as they were when it started: who takes the stage over trains on these and no others,
-- whatever has streamed in since. What stands in stage_inputs says which problems are new to a later round; this says
-- what was read of them.
CREATE TABLE job_snapshots (
    run_id     text        NOT NULL,
    round      integer     NOT NULL,
    stage      text        NOT NULL,
    source     text        NOT NULL,
    ids        text[]      NOT NULL,
    digest     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, round, stage, source),
    FOREIGN KEY (run_id, round, stage) REFERENCES training_jobs (run_id, round, stage)
);
COMMENT ON TABLE job_snapshots IS 'template-distiller, dpo-trainer';
COMMENT ON COLUMN job_snapshots.source IS 'problems, traces, key-steps, attempts, attempted or corrections';
COMMENT ON COLUMN job_snapshots.ids IS 'in the order in which they are learned from';
COMMENT ON COLUMN job_snapshots.digest IS 'SHA-256 of the ids and of what stands under them, in hexadecimal';

-- What is old is found without reading all that is not.
CREATE INDEX inbox_by_time ON inbox (received_at);
CREATE INDEX outbox_prunable ON outbox (published_at) WHERE published_at IS NOT NULL AND payload <> '';
COMMENT ON COLUMN outbox.payload IS 'empty once it was pruned; the row stays, so that the event is known by its id';
