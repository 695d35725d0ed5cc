-- The ledger of the teacher's calls: an answer is one row, kept under the hash of what was asked and the number of the
-- sample alone, whoever needs it. Answers that were kept under a key with their problem in it stay for the record; their
-- problems are done.
ALTER TABLE teacher_calls
    ADD COLUMN role      text NOT NULL DEFAULT 'solver',
    ADD COLUMN sample    integer NOT NULL DEFAULT 0,
    ADD COLUMN run_id    text,
    ADD COLUMN asked_model text NOT NULL DEFAULT '',
    ADD COLUMN thoughts  text;
UPDATE teacher_calls SET
    role = CASE prompt_id
        WHEN 'template-extraction' THEN 'template'
        WHEN 'inspect-template' THEN 'inspector'
        WHEN 'inspect-correction' THEN 'inspector'
        WHEN 'grounded-correction' THEN 'corrector'
        WHEN 'classify-mistake' THEN 'classifier'
        ELSE 'solver'
    END,
    asked_model = model;
COMMENT ON COLUMN teacher_calls.problem_id IS 'the problem or attempt that paid for the answer; others may use it';
COMMENT ON COLUMN teacher_calls.run_id IS 'the run whose attempt paid for the answer; null for a problem''s';
COMMENT ON COLUMN teacher_calls.cost IS 'money by the configured prices; null where there was none';
CREATE INDEX teacher_calls_by_run ON teacher_calls (run_id) WHERE run_id IS NOT NULL;

-- Calls that gave no answer, as what they are: a server may bill them all the same.
CREATE TABLE teacher_failed_calls (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           text        NOT NULL,
    problem_id    text        NOT NULL,
    run_id        text,
    role          text        NOT NULL,
    prompt_id     text        NOT NULL,
    model         text        NOT NULL,
    outcome       text        NOT NULL,
    message       text        NOT NULL,
    may_be_billed boolean     NOT NULL,
    latency_ms    integer     NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX teacher_failed_calls_by_problem ON teacher_failed_calls (problem_id);
COMMENT ON TABLE teacher_failed_calls IS 'teacher-ingestion';

-- What was spent, by day (UTC) and by run, added up as the answers come: a budget is held against one row.
CREATE TABLE teacher_spending (
    scope  text             PRIMARY KEY,
    calls  bigint           NOT NULL,
    tokens bigint           NOT NULL,
    cost   double precision NOT NULL
);
COMMENT ON TABLE teacher_spending IS 'teacher-ingestion';
COMMENT ON COLUMN teacher_spending.scope IS 'day:2026-01-31 or run:ID';

-- Teachers that are not asked for now, and why.
CREATE TABLE teacher_pauses (
    server text        PRIMARY KEY,
    reason text        NOT NULL,
    since  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE teacher_pauses IS 'teacher-ingestion';
