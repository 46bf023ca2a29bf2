-- compatible from: 0004
-- What has ended so far, for monitoring: counters that never fall, also when jobs are deleted. Every ending adds a row of
-- its own, so that no two wait for each other; who reads the totals, or sweeps, adds the rows up.

CREATE TABLE endings (
    what text NOT NULL CHECK (what IN ('stage', 'job')),
    stage text NOT NULL,                     -- where it ended
    outcome text NOT NULL,                   -- stage: succeeded, retried, returned, failed, cancelled; job: its state
    code text NOT NULL DEFAULT '',           -- of the failure
    seconds double precision NOT NULL        -- of the attempt; of the job from its creation on
);

CREATE TABLE ending_totals (
    what text NOT NULL,
    stage text NOT NULL,
    outcome text NOT NULL,
    code text NOT NULL,
    endings bigint NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (what, stage, outcome, code)
);

-- How many succeeded within so many seconds, of each stage and of whole jobs; not cumulative.
CREATE TABLE duration_totals (
    what text NOT NULL,
    stage text NOT NULL,
    at_most double precision NOT NULL,       -- 'infinity' for the rest
    endings bigint NOT NULL,
    PRIMARY KEY (what, stage, at_most)
);

CREATE FUNCTION jobs_count_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended jsonb := NEW.attempts -> -1;       -- as `jobs_note_attempt` has just noted it
BEGIN
    INSERT INTO endings (what, stage, outcome, code, seconds) VALUES ('stage', OLD.stage,
        CASE WHEN ended ->> 'outcome' = 'failed' AND NEW.state <> 'failed' THEN 'retried' ELSE ended ->> 'outcome' END,
        coalesce(ended ->> 'code', ''), greatest(0, coalesce((ended ->> 'seconds')::double precision, 0)));
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_count_attempt AFTER UPDATE OF attempt_token ON jobs FOR EACH ROW
    WHEN (OLD.attempt_token IS NOT NULL AND NEW.attempt_token IS NULL) EXECUTE FUNCTION jobs_count_attempt();

CREATE FUNCTION jobs_count_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO endings (what, stage, outcome, code, seconds) VALUES ('job', coalesce(NEW.stage, OLD.stage, ''), NEW.state,
        CASE WHEN NEW.state = 'failed' THEN coalesce(NEW.error ->> 'code', '') ELSE '' END,
        greatest(0, extract(epoch FROM clock_timestamp() - NEW.created_at)));
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_count_ending AFTER UPDATE OF state ON jobs FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION jobs_count_ending();
