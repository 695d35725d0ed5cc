-- Problems that are the same, or whose question stands in another: found when they come, left out where that would do harm.

-- What a problem is found by, however it is written. Written before the teacher is asked, so that of two alike that come at
-- the same time one is asked about; it refers to no problem, for that is written later.
CREATE TABLE problem_fingerprints (
    problem_id text        PRIMARY KEY,
    sequence   bigint      GENERATED ALWAYS AS IDENTITY,
    dataset    text        NOT NULL,
    split      text        NOT NULL,
    question   text        NOT NULL,
    answer     text        NOT NULL,
    -- A hash of the normalised question, its MinHash bands, and its runs of 13 words.
    digest     bigint      NOT NULL,
    bands      bigint[]    NOT NULL,
    grams      bigint[]    NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX problem_fingerprints_by_digest ON problem_fingerprints (digest);
-- Every problem is looked up before it is written: a list of pending entries would be read each time.
CREATE INDEX problem_fingerprints_by_band ON problem_fingerprints USING gin (bands) WITH (fastupdate = off);
CREATE INDEX problem_fingerprints_by_gram ON problem_fingerprints USING gin (grams) WITH (fastupdate = off);
COMMENT ON TABLE problem_fingerprints IS 'teacher-ingestion';

-- One row a problem that a student would learn from and another problem that stands against it.
CREATE TABLE problem_overlaps (
    problem_id text             NOT NULL,
    -- The problem of an evaluation set that it gives away, or the one to learn from that came before it.
    other_id   text             NOT NULL,
    -- 'exact', 'near' (similarity: Jaccard), or 'contains' (similarity: the share of the other's question)
    kind       text             NOT NULL,
    similarity double precision NOT NULL,
    created_at timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (problem_id, other_id)
);
CREATE INDEX problem_overlaps_by_other ON problem_overlaps (other_id);
COMMENT ON TABLE problem_overlaps IS 'teacher-ingestion';

-- Both directions, for suites over splits that others learn from.
CREATE VIEW problem_likes AS
SELECT problem_id, other_id FROM problem_overlaps
UNION ALL
SELECT other_id, problem_id FROM problem_overlaps;

COMMENT ON COLUMN problems.state IS
    'registered (no teacher is asked), ingested (the teacher''s work is done), or left out within its data set: duplicate '
    '(of a problem to learn from), contaminated (by one of an evaluation set)';
