-- compatible from: 0004
-- What each attempt at a stage took and how it ended stands with the job itself: people are told what was tried, what
-- each stage cost, and what the next one like it will cost. A trigger writes it, so that no way to end an attempt can
-- forget it, also not that of an older worker. Kept are the newest fifty.
ALTER TABLE jobs ADD COLUMN attempts jsonb NOT NULL DEFAULT '[]';

CREATE FUNCTION jobs_note_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ending text := CASE
        WHEN NEW.state IN ('failed', 'cancelled') THEN NEW.state
        WHEN NEW.state = 'completed' OR NEW.stage <> OLD.stage THEN 'succeeded'
        WHEN NEW.attempt > OLD.attempt THEN 'failed'
        ELSE 'returned'  -- its worker stopped or died; it is tried again, and does not count
    END;
BEGIN
    NEW.attempts := CASE WHEN jsonb_array_length(OLD.attempts) < 50 THEN OLD.attempts ELSE OLD.attempts - 0 END
        || jsonb_build_object(
            'stage', OLD.stage, 'attempt', OLD.attempt, 'began_at', OLD.claimed_at,
            'seconds', round(extract(epoch FROM clock_timestamp() - OLD.claimed_at), 3), 'outcome', ending,
            'code', CASE WHEN ending IN ('failed', 'returned') THEN NEW.error ->> 'code' END,
            'title', CASE WHEN ending IN ('failed', 'returned') THEN NEW.error ->> 'title' END,
            'message', CASE WHEN ending IN ('failed', 'returned') THEN left(NEW.error ->> 'message', 500) END);
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_note_attempt BEFORE UPDATE OF attempt_token ON jobs FOR EACH ROW
    WHEN (OLD.attempt_token IS NOT NULL AND NEW.attempt_token IS NULL) EXECUTE FUNCTION jobs_note_attempt();

-- The newest completed jobs of an account, by which the time of a stage is foretold.
CREATE INDEX jobs_completed_idx ON jobs (account_id, finished_at DESC) WHERE state = 'completed';
-- What needs attention is found at once among however many completed jobs.
CREATE INDEX jobs_ended_badly_idx ON jobs (account_id, created_at DESC, id DESC)
    WHERE state IN ('failed', 'cancelled') AND dismissed_at IS NULL;
