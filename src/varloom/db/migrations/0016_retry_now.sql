-- compatible from: 0004
-- A wait for an automatic retry that is ended by hand changes nothing but the time of the retry: that is an event, too.
DROP TRIGGER jobs_append_event ON jobs;

CREATE CONSTRAINT TRIGGER jobs_append_event AFTER UPDATE ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((NEW.state, NEW.stage, NEW.attempt, NEW.attempt_token, NEW.priority, NEW.sample_name,
           NEW.cancel_requested_at, NEW.dismissed_at, NEW.run_after) IS DISTINCT FROM (OLD.state, OLD.stage, OLD.attempt,
           OLD.attempt_token, OLD.priority, OLD.sample_name, OLD.cancel_requested_at, OLD.dismissed_at, OLD.run_after))
    EXECUTE FUNCTION jobs_append_event();
