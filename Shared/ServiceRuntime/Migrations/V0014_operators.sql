-- What people did with a dead letter, oldest first, each with who, when and why.
ALTER TABLE dead_letters ADD COLUMN notes jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN dead_letters.notes IS 'objects with action (replayed, dropped), at, by and what else there is to say';
-- What nobody has settled is counted for metrics and the status.
CREATE INDEX dead_letters_open ON dead_letters (consumer, cause_code) WHERE replayed_at IS NULL;

-- One problem's story.
CREATE INDEX attempts_problem ON attempts (problem_id);
