-- A number that grows with whatever could make a job ready, so that who waits for jobs sees at the cost of one value that
-- nothing has come. It grows before the transaction is committed, and also where that is rolled back: see JobRunner.
CREATE SEQUENCE job_changes;
-- The first number is otherwise the same before and after it is given out.
SELECT nextval('job_changes');
COMMENT ON SEQUENCE job_changes IS 'grows by triggers, whoever writes';

-- As their owner, so that whoever may write the tables below, and whoever waits, needs no right on the sequence.
CREATE FUNCTION note_job_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM nextval('job_changes');
    RETURN NULL;
END
$$;
CREATE FUNCTION last_job_change() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS
$$ SELECT last_value FROM job_changes $$;

-- By the statement. Not with progress, notes and renewed leases, which come all the time and make nothing ready.
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE OF state ON runs EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE ON rounds EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT ON verdicts EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT ON checkpoints EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE OF state ON training_jobs EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE OF state ON evaluation_jobs EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE OF finished_at ON evaluation_pieces
EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT ON evaluations EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT ON rollouts EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE OF state, taught ON problems EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT OR UPDATE ON traces EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER INSERT ON key_steps EXECUTE FUNCTION note_job_change();
CREATE TRIGGER jobs_may_be_ready AFTER DELETE ON leases EXECUTE FUNCTION note_job_change();
