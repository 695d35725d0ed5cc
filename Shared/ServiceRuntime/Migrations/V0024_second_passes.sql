-- Whether a second pass was cut off; null where an earlier version wrote the row.
ALTER TABLE evaluation_results ADD COLUMN second_truncated boolean;
