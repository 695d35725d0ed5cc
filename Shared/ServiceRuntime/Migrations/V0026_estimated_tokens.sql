-- Tokens that no server counted: of an answer without `usage`, and of a call without an answer that may be billed all the same.
ALTER TABLE teacher_calls ADD COLUMN estimated boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN teacher_calls.estimated IS 'the server counted no tokens: they are estimated by the length of the texts';
ALTER TABLE teacher_failed_calls
    ADD COLUMN prompt_tokens     integer NOT NULL DEFAULT 0,
    ADD COLUMN completion_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN cost              double precision;
COMMENT ON COLUMN teacher_failed_calls.prompt_tokens IS 'estimated, where may_be_billed; counted in teacher_spending';
COMMENT ON COLUMN teacher_failed_calls.completion_tokens IS 'the most that the call allowed, where may_be_billed';
