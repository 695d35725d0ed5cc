-- Scores by the difficulty that a data set gives its problems. It was among what is handed through, which is not stored.
ALTER TABLE problems ADD COLUMN difficulty text;
COMMENT ON COLUMN problems.difficulty IS 'as the data set says; nothing is learned from it';
