-- Whether the models' names follow a verdict by now, so that a look for those that they do not follow yet reads no old runs.
-- Before, names followed the gate with its verdict, and a person's whenever they differed: these are looked at once more.
ALTER TABLE verdicts ADD COLUMN named_at timestamptz;
UPDATE verdicts SET named_at = created_at WHERE decider <> 'operator';
CREATE INDEX verdicts_unnamed ON verdicts (run_id) WHERE named_at IS NULL;
CREATE INDEX runs_by_age ON runs (created_at, id);
CREATE INDEX evaluation_jobs_by_run ON evaluation_jobs (run_id);
