-- What each service's role may do, run as the owner after the migrations. All may read what the pipeline holds; each table
-- is written by the services that are named here and by no others. Only the teacher's service sees what it asked the
-- teacher, and what that cost.
BEGIN;

REVOKE ALL ON ALL TABLES IN SCHEMA public
FROM errata_services, "teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator";

GRANT SELECT ON ALL TABLES IN SCHEMA public TO errata_services;
REVOKE SELECT ON teacher_calls, teacher_failed_calls, teacher_spending, teacher_pauses, teacher_batches,
    teacher_batch_requests, corruption_demonstrations
FROM errata_services;

-- Delivery: each service publishes and buries. Those that read topics mark what they have done and begun and park what waits;
-- the three that compute lease what they work on. What is old is deleted by one.
GRANT INSERT, UPDATE ON outbox, dead_letters TO errata_services;
GRANT INSERT ON inbox TO "teacher-ingestion", "key-step-locator", "template-distiller", "evaluator";
GRANT INSERT, UPDATE, DELETE ON work_begun, parked_messages
TO "teacher-ingestion", "key-step-locator", "template-distiller", "evaluator";
GRANT INSERT, UPDATE, DELETE ON leases TO "template-distiller", "dpo-trainer", "evaluator";
GRANT DELETE ON inbox TO "template-distiller";

-- Problems, and what the teacher wrote. The teacher's budget of a run stands in the run.
GRANT SELECT ON teacher_calls, teacher_failed_calls, teacher_spending, teacher_pauses, teacher_batches,
    teacher_batch_requests, corruption_demonstrations
TO "teacher-ingestion";
GRANT INSERT, UPDATE ON problems, problem_votes, traces, teacher_spending, teacher_batch_requests TO "teacher-ingestion";
GRANT INSERT, DELETE ON problem_fingerprints, problem_overlaps TO "teacher-ingestion";
GRANT INSERT ON teaching_wants, teacher_calls, teacher_failed_calls, corruption_demonstrations TO "teacher-ingestion";
GRANT INSERT, UPDATE, DELETE ON teacher_pauses, teacher_batches TO "teacher-ingestion";
GRANT UPDATE ON runs TO "teacher-ingestion";
-- What it replaces is kept by triggers, which write as whoever replaces, until the collection deletes it.
GRANT INSERT ON trace_versions, problem_versions TO "teacher-ingestion";
GRANT DELETE ON trace_versions, problem_versions TO "template-distiller";

GRANT INSERT ON key_steps TO "key-step-locator";

-- Runs, their rounds and stages; a round's roll-out is ordered from the evaluator by a row.
GRANT INSERT, UPDATE ON runs, rounds TO "template-distiller";
GRANT INSERT ON verdicts, evaluation_jobs TO "template-distiller";
GRANT INSERT ON training_jobs TO "template-distiller";
GRANT UPDATE ON training_jobs TO "template-distiller", "dpo-trainer";
GRANT INSERT ON stage_inputs, job_snapshots, checkpoints TO "template-distiller", "dpo-trainer";

-- Attempts and scores.
GRANT INSERT, UPDATE ON evaluation_jobs, evaluation_pieces TO "evaluator";
GRANT INSERT ON evaluation_results, evaluations, attempts, rollouts TO "evaluator";

COMMIT;
