-- Batches of requests to a teacher. A batch and all its requests are written down before anything of it is sent, and the
-- server's job as soon as it is named: a job outlives the process that made it, and is paid once.
CREATE TABLE teacher_batches (
    id            text        PRIMARY KEY,
    -- A hash of what a process must share to ask for the job: address, model, key file, headers.
    lane          text        NOT NULL,
    server        text        NOT NULL,
    model         text        NOT NULL,
    state         text        NOT NULL DEFAULT 'made',
    input_file_id text,
    job_id        text,
    status        text,
    requests      integer     NOT NULL,
    answered      integer     NOT NULL DEFAULT 0,
    error         text,
    -- Times in a row that the server did not know the job, or a file of it.
    misses        integer     NOT NULL DEFAULT 0,
    made_by       text        NOT NULL,
    -- One process at a time works on a batch; where it dies, its claim expires.
    claimed_by    text        NOT NULL,
    claimed_until timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    polled_at     timestamptz,
    ended_at      timestamptz
);
CREATE INDEX teacher_batches_open ON teacher_batches (lane, created_at) WHERE state <> 'ended';
COMMENT ON TABLE teacher_batches IS 'teacher-ingestion';
COMMENT ON COLUMN teacher_batches.id IS 'also the job''s metadata, errata_batch, by which it is found again';
COMMENT ON COLUMN teacher_batches.state IS
    'made (written down; with an input file the job may exist), created (the job is known), ended (all is collected)';
COMMENT ON COLUMN teacher_batches.status IS 'what the server last said of the job';

CREATE TABLE teacher_batch_requests (
    batch_id  text    NOT NULL REFERENCES teacher_batches (id) ON DELETE CASCADE,
    key       text    NOT NULL,
    -- As text, for jsonb holds no escaped NUL.
    body      text    NOT NULL,
    state     text    NOT NULL DEFAULT 'open',
    status    integer,
    response  text,
    kind      text,
    parameter text,
    error     text,
    told      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (batch_id, key)
);
-- A request is in one batch at a time, whoever asks.
CREATE UNIQUE INDEX teacher_batch_requests_open ON teacher_batch_requests (key) WHERE state = 'open';
CREATE INDEX teacher_batch_requests_by_key ON teacher_batch_requests (key);
COMMENT ON TABLE teacher_batch_requests IS 'teacher-ingestion';
COMMENT ON COLUMN teacher_batch_requests.key IS 'a hash of what is asked and of whom; the custom_id of its line';
COMMENT ON COLUMN teacher_batch_requests.state IS 'open, answered (response) or failed (kind, error)';
COMMENT ON COLUMN teacher_batch_requests.told IS 'whether who asked has taken the outcome; a failure is taken once';
