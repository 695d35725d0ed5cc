-- What gave a verdict: the grader's policy and version, such as standard/2. Null where an earlier version gave it.
ALTER TABLE evaluation_results ADD COLUMN grader text;
ALTER TABLE attempts ADD COLUMN grader text;
