-- A stage's snapshot names rows by their ids; what stands under an id may be replaced while the stage is trained. What is
-- replaced is kept here, by triggers, so that no writer can forget it: who takes the stage over reads of each row the
-- oldest version whose replacement the snapshot did not see, or else what stands there now. Traces get a mistake told
-- later, problems an answer that samples agreed on; key steps and attempts are never replaced.
--
-- Transactions are counted by a server. One into which a dump is restored has not given out the ids that come with it, or
-- gives them out again, so each stands with the server that counted it, and those of two servers are never compared: what
-- the present server replaced came after all that another one saw, and what another one replaced came before.
CREATE TABLE trace_versions (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trace_id    text   NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
    body        jsonb  NOT NULL,
    replaced_by xid8   NOT NULL DEFAULT pg_current_xact_id(),
    server      bigint NOT NULL DEFAULT (pg_control_system()).system_identifier,
    UNIQUE (trace_id, server, replaced_by)
);
COMMENT ON TABLE trace_versions IS 'teacher-ingestion';
COMMENT ON COLUMN trace_versions.number IS
    'the order in which versions were replaced; ids of transactions tell it not: one may begin early and replace late';
COMMENT ON COLUMN trace_versions.replaced_by IS 'the transaction, which may have replaced its own replacement again';
COMMENT ON COLUMN trace_versions.server IS 'the system identifier of the server that counted the transaction';

CREATE TABLE problem_versions (
    number        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem_id    text    NOT NULL REFERENCES problems (id) ON DELETE CASCADE,
    dataset       text    NOT NULL,
    split         text    NOT NULL,
    question      text    NOT NULL,
    solution      text,
    answer        text    NOT NULL,
    answer_source text,
    family        text,
    steps         integer,
    replaced_by   xid8    NOT NULL DEFAULT pg_current_xact_id(),
    server        bigint  NOT NULL DEFAULT (pg_control_system()).system_identifier,
    UNIQUE (problem_id, server, replaced_by)
);
COMMENT ON TABLE problem_versions IS 'teacher-ingestion';
COMMENT ON COLUMN problem_versions.number IS 'as in trace_versions';

-- Of what a transaction replaces twice the first is kept: nobody else has seen the second.
CREATE FUNCTION keep_trace_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trace_versions (trace_id, body) VALUES (OLD.id, OLD.body)
    ON CONFLICT (trace_id, server, replaced_by) DO NOTHING;
    RETURN NULL;
END
$$;
-- As text, which digests are made of: jsonb takes 1 and 1.0 for the same.
CREATE TRIGGER traces_replaced AFTER UPDATE OF body ON traces
FOR EACH ROW WHEN (OLD.body::text IS DISTINCT FROM NEW.body::text)
EXECUTE FUNCTION keep_trace_version();

CREATE FUNCTION keep_problem_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO problem_versions (problem_id, dataset, split, question, solution, answer, answer_source, family, steps)
    VALUES (OLD.id, OLD.dataset, OLD.split, OLD.question, OLD.solution, OLD.answer, OLD.answer_source, OLD.family,
            OLD.steps)
    ON CONFLICT (problem_id, server, replaced_by) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER problems_replaced
AFTER UPDATE OF dataset, split, question, solution, answer, answer_source, family, steps ON problems
FOR EACH ROW WHEN (
    (OLD.dataset, OLD.split, OLD.question, OLD.solution, OLD.answer, OLD.answer_source, OLD.family, OLD.steps)
    IS DISTINCT FROM
    (NEW.dataset, NEW.split, NEW.question, NEW.solution, NEW.answer, NEW.answer_source, NEW.family, NEW.steps)
)
EXECUTE FUNCTION keep_problem_version();

-- Snapshots from before saw what stands there now, as far as can be known: nothing was kept.
ALTER TABLE job_snapshots ADD COLUMN seen pg_snapshot, ADD COLUMN server bigint;
UPDATE job_snapshots
SET seen = pg_current_snapshot(), server = (SELECT system_identifier FROM pg_control_system());
ALTER TABLE job_snapshots ALTER COLUMN seen SET NOT NULL, ALTER COLUMN server SET NOT NULL;
COMMENT ON COLUMN job_snapshots.seen IS 'the transactions that were done when the rows were chosen';
COMMENT ON COLUMN job_snapshots.server IS 'the system identifier of the server that counted them';
