-- Runs are recipes of named stages, which are trained again in each round; a gate judges each round's candidate.

ALTER TABLE runs ADD COLUMN state text NOT NULL DEFAULT 'active';
ALTER TABLE runs ADD COLUMN state_reason text;
ALTER TABLE runs ADD COLUMN ended_at timestamptz;
COMMENT ON COLUMN runs.state IS 'active, finished or cancelled';

ALTER TABLE training_jobs ADD COLUMN round integer NOT NULL DEFAULT 1;
ALTER TABLE training_jobs DROP CONSTRAINT training_jobs_pkey;
ALTER TABLE training_jobs ADD PRIMARY KEY (run_id, round, stage);

ALTER TABLE checkpoints ADD COLUMN round integer NOT NULL DEFAULT 1;
ALTER TABLE checkpoints DROP CONSTRAINT checkpoints_run_id_stage_key;
ALTER TABLE checkpoints ADD UNIQUE (run_id, round, stage);

ALTER TABLE evaluations ADD COLUMN round integer NOT NULL DEFAULT 1;

-- What a stage learned from, written when it starts: a process that takes it over trains on the same, whatever has
-- streamed in since; a later round knows what is new.
CREATE TABLE stage_inputs (
    run_id text    NOT NULL REFERENCES runs (id),
    round  integer NOT NULL,
    stage  text    NOT NULL,
    -- 'problem' or 'correction' (the trace of a wrong attempt)
    kind   text    NOT NULL,
    id     text    NOT NULL,
    PRIMARY KEY (run_id, round, stage, kind, id)
);
CREATE INDEX stage_inputs_by_problem ON stage_inputs (run_id, stage, id) WHERE kind = 'problem';
-- A training in progress wrote nothing down: it is begun with what there is now.
UPDATE training_jobs SET state = 'waiting', started_at = NULL WHERE state = 'running';
COMMENT ON TABLE stage_inputs IS 'template-distiller, dpo-trainer';

CREATE TABLE rounds (
    run_id                 text        NOT NULL REFERENCES runs (id),
    number                 integer     NOT NULL,
    -- What 'champion' and 'initial' mean in the round.
    champion_checkpoint_id text        NOT NULL,
    start_checkpoint_id    text        NOT NULL,
    reason                 text        NOT NULL,
    started_at             timestamptz NOT NULL DEFAULT now(),
    ended_at               timestamptz,
    PRIMARY KEY (run_id, number)
);
COMMENT ON TABLE rounds IS 'template-distiller';
INSERT INTO rounds (run_id, number, champion_checkpoint_id, start_checkpoint_id, reason, started_at)
SELECT runs.id, 1, checkpoints.id, checkpoints.id, 'the run arrived', runs.created_at
FROM runs JOIN checkpoints ON checkpoints.run_id = runs.id AND checkpoints.stage = 'initial';

CREATE TABLE verdicts (
    id         text        PRIMARY KEY,
    run_id     text        NOT NULL REFERENCES runs (id),
    round      integer     NOT NULL,
    decision   text        NOT NULL,
    decider    text        NOT NULL,
    body       jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX verdicts_by_run ON verdicts (run_id, created_at);
COMMENT ON TABLE verdicts IS 'template-distiller';

-- Key steps are located in each form that a run asks for; before, in templates alone.
ALTER TABLE key_steps ADD COLUMN format text;
UPDATE key_steps SET format = CASE WHEN tokenizer = 'errata-words-v1' THEN '' ELSE 'template' END;
ALTER TABLE key_steps ALTER COLUMN format SET NOT NULL;
ALTER TABLE key_steps DROP CONSTRAINT key_steps_trace_id_tokenizer_tie_rule_key;
ALTER TABLE key_steps ADD UNIQUE (trace_id, tokenizer, tie_rule, format);

-- A checkpoint's evaluation is work in pieces: results are kept piece by piece, so that a crash redoes one of them and
-- several evaluators share one checkpoint.
CREATE TABLE evaluation_jobs (
    -- The id of the evaluation that comes of it; of a roll-out an id of its own.
    id            text        PRIMARY KEY,
    run_id        text        NOT NULL REFERENCES runs (id),
    checkpoint_id text        NOT NULL,
    -- Null for a roll-out.
    suite         text,
    -- The solved problems that a few-shot suite shows, the same for every checkpoint of the run.
    shots         text[]      NOT NULL DEFAULT '{}',
    -- 'waiting' for problems, 'open', 'done', or 'left-out' with the reason
    state         text        NOT NULL DEFAULT 'waiting',
    reason        text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz
);
CREATE INDEX evaluation_jobs_unfinished ON evaluation_jobs (created_at) WHERE state IN ('waiting', 'open');
COMMENT ON TABLE evaluation_jobs IS 'evaluator';
INSERT INTO evaluation_jobs (id, run_id, checkpoint_id, suite, state, created_at, finished_at)
SELECT id, run_id, checkpoint_id, suite, 'done', created_at, created_at FROM evaluations;
CREATE TABLE evaluation_pieces (
    job_id      text    NOT NULL REFERENCES evaluation_jobs (id),
    piece       integer NOT NULL,
    problem_ids text[]  NOT NULL,
    seconds     double precision,
    finished_at timestamptz,
    PRIMARY KEY (job_id, piece)
);
COMMENT ON TABLE evaluation_pieces IS 'evaluator';
ALTER TABLE evaluation_results DROP CONSTRAINT evaluation_results_evaluation_id_fkey;
ALTER TABLE evaluation_results ADD COLUMN truncated boolean NOT NULL DEFAULT false;
ALTER TABLE evaluation_results ADD COLUMN tokens integer;
-- The second pass, where one is asked for.
ALTER TABLE evaluation_results ADD COLUMN second_output text;
ALTER TABLE evaluation_results ADD COLUMN second_correct boolean;
ALTER TABLE evaluation_results ADD COLUMN second_readable boolean;
ALTER TABLE evaluation_results ADD COLUMN second_named boolean;

-- A checkpoint that is the parent in several rounds attempts in each what it has not attempted yet.
ALTER TABLE rollouts ADD COLUMN round integer NOT NULL DEFAULT 1;
ALTER TABLE rollouts DROP CONSTRAINT rollouts_pkey;
ALTER TABLE rollouts ADD PRIMARY KEY (checkpoint_id, round);
ALTER TABLE evaluation_jobs ADD COLUMN round integer NOT NULL DEFAULT 1;
