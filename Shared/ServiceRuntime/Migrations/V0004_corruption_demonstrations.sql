-- The rectified pairs that CCP showed the teacher for a problem, kept so that a message that comes again asks the same
-- question. Written before the problem is, so it refers to none.
CREATE TABLE corruption_demonstrations (
    problem_id text        PRIMARY KEY,
    -- Ids of traces in the order in which they were shown; fewer than three where there were no more yet.
    trace_ids  jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE corruption_demonstrations IS 'teacher-ingestion';

CREATE INDEX traces_rectified ON traces (id)
    WHERE kind = 'dual' AND verified AND body -> 'body' ->> 'method' = 'rectified';
