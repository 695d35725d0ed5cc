-- The pipeline: problems, what the teacher wrote about them, and what students learned from it.
-- Each table is written by one service, named in its comment, and may be read by all.

CREATE TABLE problems (
    id         text        PRIMARY KEY,
    dataset    text        NOT NULL,
    split      text        NOT NULL,
    question   text        NOT NULL,
    solution   text,
    answer     text        NOT NULL,
    family     text,
    steps      integer,
    -- 'registered' (no teacher wanted) or 'ingested' (the teacher's work is done)
    state      text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX problems_by_split ON problems (dataset, split);
COMMENT ON TABLE problems IS 'teacher-ingestion';

-- Every answer that the teacher gave, under a key made of what it was asked: a retried message costs nothing twice.
CREATE TABLE teacher_calls (
    key               text        PRIMARY KEY,
    problem_id        text        NOT NULL,
    prompt_id         text        NOT NULL,
    prompt_version    text        NOT NULL,
    model             text        NOT NULL,
    temperature       double precision NOT NULL,
    seed              bigint      NOT NULL,
    response          text        NOT NULL,
    finish_reason     text        NOT NULL,
    prompt_tokens     integer     NOT NULL,
    completion_tokens integer     NOT NULL,
    cost              double precision,
    latency_ms        integer     NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX teacher_calls_by_problem ON teacher_calls (problem_id);
COMMENT ON TABLE teacher_calls IS 'teacher-ingestion';

CREATE TABLE traces (
    id         text        PRIMARY KEY,
    problem_id text        NOT NULL REFERENCES problems (id),
    kind       text        NOT NULL,
    verified   boolean     NOT NULL,
    failure    text,
    attempt_id text,
    run_id     text,
    body       jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX traces_by_problem ON traces (problem_id, kind);
CREATE INDEX traces_by_run ON traces (run_id, kind) WHERE run_id IS NOT NULL;
COMMENT ON TABLE traces IS 'teacher-ingestion';

CREATE TABLE key_steps (
    id          text        PRIMARY KEY,
    trace_id    text        NOT NULL REFERENCES traces (id),
    problem_id  text        NOT NULL,
    tokenizer   text        NOT NULL,
    distance    integer     NOT NULL,
    right_keys  integer     NOT NULL,
    wrong_keys  integer     NOT NULL,
    body        jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (trace_id, tokenizer)
);
COMMENT ON TABLE key_steps IS 'key-step-locator';

CREATE TABLE runs (
    id         text        PRIMARY KEY,
    name       text        NOT NULL,
    dataset    text        NOT NULL,
    body       jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE runs IS 'template-distiller';

-- One row a stage of a run, made when the run arrives; the service that trains the stage moves it on.
CREATE TABLE training_jobs (
    run_id      text        NOT NULL REFERENCES runs (id),
    stage       text        NOT NULL,
    state       text        NOT NULL DEFAULT 'waiting',
    error       text,
    step        integer     NOT NULL DEFAULT 0,
    total_steps integer     NOT NULL DEFAULT 0,
    loss        double precision,
    tokens      bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (run_id, stage)
);
COMMENT ON TABLE training_jobs IS 'template-distiller, dpo-trainer';

CREATE TABLE checkpoints (
    id             text        PRIMARY KEY,
    run_id         text        NOT NULL REFERENCES runs (id),
    stage          text        NOT NULL,
    parent_id      text,
    model_hash     text        NOT NULL,
    tokens_trained bigint      NOT NULL,
    body           jsonb       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (run_id, stage)
);
COMMENT ON TABLE checkpoints IS 'template-distiller, dpo-trainer';

CREATE TABLE attempts (
    id            text        PRIMARY KEY,
    run_id        text        NOT NULL REFERENCES runs (id),
    checkpoint_id text        NOT NULL,
    problem_id    text        NOT NULL REFERENCES problems (id),
    sample        integer     NOT NULL,
    correct       boolean     NOT NULL,
    body          jsonb       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX attempts_by_run ON attempts (run_id);
COMMENT ON TABLE attempts IS 'evaluator';

-- A roll-out is written whole, with its attempts, so that "all attempts are there" is one row.
CREATE TABLE rollouts (
    checkpoint_id text        PRIMARY KEY,
    run_id        text        NOT NULL REFERENCES runs (id),
    attempted     integer     NOT NULL,
    wrong         integer     NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rollouts IS 'evaluator';

CREATE TABLE evaluations (
    id            text        PRIMARY KEY,
    run_id        text        NOT NULL REFERENCES runs (id),
    checkpoint_id text        NOT NULL,
    stage         text        NOT NULL,
    suite         text        NOT NULL,
    problems      integer     NOT NULL,
    correct       integer     NOT NULL,
    body          jsonb       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (checkpoint_id, suite)
);
COMMENT ON TABLE evaluations IS 'evaluator';

CREATE TABLE evaluation_results (
    evaluation_id text    NOT NULL REFERENCES evaluations (id),
    problem_id    text    NOT NULL,
    correct       boolean NOT NULL,
    answer        text,
    output        text    NOT NULL,
    PRIMARY KEY (evaluation_id, problem_id)
);
COMMENT ON TABLE evaluation_results IS 'evaluator';
