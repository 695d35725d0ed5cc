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

-- Delivery: each service marks what it has done, publishes, buries and leases. Pruning is a DELETE.
GRANT INSERT, UPDATE, DELETE ON inbox, work_begun, parked_messages, outbox, dead_letters, leases TO errata_services;

-- Problems, and what the teacher wrote. The teacher's budget of a run stands in the run.
GRANT SELECT, INSERT, UPDATE, DELETE ON problems, problem_fingerprints, problem_overlaps, problem_votes, traces,
    teaching_wants, teacher_calls, teacher_failed_calls, teacher_spending, teacher_pauses, teacher_batches,
    teacher_batch_requests, corruption_demonstrations
TO "teacher-ingestion";
GRANT UPDATE ON runs TO "teacher-ingestion";
-- What it replaces is kept by triggers, which write as whoever replaces, until the collection deletes it.
GRANT INSERT ON trace_versions, problem_versions TO "teacher-ingestion";
GRANT DELETE ON trace_versions, problem_versions TO "template-distiller";

-- Key steps. The run, with its first round and stages, is stored by whoever of the two reads it first.
GRANT INSERT, UPDATE, DELETE ON key_steps TO "key-step-locator";
GRANT INSERT ON runs, rounds, training_jobs TO "key-step-locator";

-- Runs, their rounds and stages; a round's roll-out is ordered from the evaluator by a row.
GRANT INSERT, UPDATE, DELETE ON runs, rounds, verdicts TO "template-distiller";
GRANT INSERT ON evaluation_jobs TO "template-distiller";
GRANT INSERT, UPDATE, DELETE ON training_jobs, stage_inputs, job_snapshots, checkpoints
TO "template-distiller", "dpo-trainer";

-- Attempts and scores.
GRANT INSERT, UPDATE, DELETE ON evaluation_jobs, evaluation_pieces, evaluation_results, evaluations, attempts, rollouts
TO "evaluator";

COMMIT;
