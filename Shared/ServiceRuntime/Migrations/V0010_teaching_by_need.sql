-- What the teacher was asked about a problem follows from what runs need; the rest can be asked for later.
ALTER TABLE problems ADD COLUMN taught text[] NOT NULL DEFAULT '{}';
UPDATE problems SET taught = '{chains,duals,mistakes,templates}' WHERE state = 'ingested';
COMMENT ON COLUMN problems.taught IS 'chains, duals, mistakes, templates: what the teacher was asked for, or what was recorded elsewhere';
COMMENT ON COLUMN problems.state IS
    'registered (no teacher was asked: none is wanted, or no run needs it yet), unanswered (there is no answer to verify '
    'by), ingested (what runs need was asked), or left '
    'out within its data set: duplicate (of a problem to learn from), contaminated (by one of an evaluation set)';

-- What each run needs of the training problems of a data set. It counts while the run is active.
CREATE TABLE teaching_wants (
    run_id  text NOT NULL REFERENCES runs (id),
    dataset text NOT NULL,
    part    text NOT NULL,
    PRIMARY KEY (run_id, dataset, part)
);
CREATE INDEX teaching_wants_by_dataset ON teaching_wants (dataset);
COMMENT ON TABLE teaching_wants IS 'teacher-ingestion';

-- Problems without a reference answer: answered by agreement of a teacher's samples where a run asks for it.
ALTER TABLE problems ADD COLUMN answer_source text;
COMMENT ON COLUMN problems.answer IS 'empty where the problem has none (state unanswered)';
COMMENT ON COLUMN problems.answer_source IS 'given (null too), or agreed: by so many of a teacher''s samples as a run asked for';
CREATE TABLE problem_votes (
    problem_id text        PRIMARY KEY REFERENCES problems (id),
    -- The answer that was taken; null where not enough agreed.
    answer     text,
    votes      integer     NOT NULL,
    agreeing   integer     NOT NULL,
    -- The answer of each sample.
    answers    text[]      NOT NULL,
    run_id     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE problem_votes IS 'teacher-ingestion';
