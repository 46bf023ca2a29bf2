-- compatible from: 0004
-- Events are numbered when their transaction commits, not when its statement runs: the number is taken under a lock on
-- the account's row, for which every other step of the account's jobs waits. Held from the commit on, it is held for the
-- time of a write to the disk; held from the statement on, also for a worker's way from its answer to the commit.
-- What writes only progress does not call the function at all.
DROP TRIGGER jobs_append_event ON jobs;

CREATE OR REPLACE FUNCTION jobs_append_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
BEGIN
    UPDATE accounts SET last_event_id = last_event_id + 1 WHERE id = NEW.account_id RETURNING last_event_id INTO event_id;
    INSERT INTO job_events (account_id, id, job_id, state, stage, attempt, message, job)
    VALUES (NEW.account_id, event_id, NEW.id, NEW.state, NEW.stage, NEW.attempt, NEW.message, to_jsonb(NEW));
    PERFORM pg_notify('varloom_events', json_build_object(
        'account', NEW.account_id, 'event', event_id, 'job', NEW.id)::text);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER jobs_append_first_event AFTER INSERT ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION jobs_append_event();

CREATE CONSTRAINT TRIGGER jobs_append_event AFTER UPDATE ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((NEW.state, NEW.stage, NEW.attempt, NEW.attempt_token, NEW.priority, NEW.sample_name,
           NEW.cancel_requested_at, NEW.dismissed_at) IS DISTINCT FROM (OLD.state, OLD.stage, OLD.attempt,
           OLD.attempt_token, OLD.priority, OLD.sample_name, OLD.cancel_requested_at, OLD.dismissed_at))
    EXECUTE FUNCTION jobs_append_event();
