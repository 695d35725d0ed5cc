-- The W3C trace context of what wrote a row: traceparent and, behind a space, tracestate. Null where there was none.
ALTER TABLE outbox ADD COLUMN trace_context text;
ALTER TABLE problems ADD COLUMN trace_context text;
ALTER TABLE runs ADD COLUMN trace_context text;
ALTER TABLE evaluation_jobs ADD COLUMN trace_context text;
COMMENT ON COLUMN outbox.trace_context IS 'the headers ce_traceparent and ce_tracestate of the event';
COMMENT ON COLUMN problems.trace_context IS 'of the work that stored the problem: what is asked about it later goes on from there';
COMMENT ON COLUMN runs.trace_context IS 'of the work that stored the run: its stages and rounds go on from there';
COMMENT ON COLUMN evaluation_jobs.trace_context IS 'of the work that asked for the evaluation, which goes on from there';
