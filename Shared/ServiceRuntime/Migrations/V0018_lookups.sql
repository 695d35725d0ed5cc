-- Indexes of what is looked up once an event or once a stage, so that the work does not grow with what old runs left.
CREATE INDEX traces_by_attempt ON traces (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE INDEX key_steps_by_problem ON key_steps (problem_id);
CREATE INDEX attempts_by_checkpoint ON attempts (checkpoint_id);
CREATE INDEX runs_active ON runs (created_at, id) WHERE state = 'active';
