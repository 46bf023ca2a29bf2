-- Uploads, jobs, their events and the workers. The job row is the truth; the queue only delivers.

CREATE TABLE uploads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    kind text NOT NULL CHECK (kind IN ('file', 'url')),
    name text NOT NULL CHECK (name <> ''),   -- as the user's machine called it: shown, never used as a path
    url text,
    bytes bigint,
    sha256 text,
    storage_key text,                        -- where the bytes lie in the storage
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'url') = (url IS NOT NULL))
);
CREATE INDEX uploads_account_idx ON uploads (account_id);

CREATE TABLE workers (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    slots jsonb NOT NULL,                    -- {"parse": 2}
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    stopped_at timestamptz
);
CREATE INDEX workers_alive_idx ON workers (heartbeat_at) WHERE stopped_at IS NULL;

-- The lifecycle, the same table as in jobs/lifecycle.py; a test proves that they agree.
CREATE TABLE job_transitions (
    from_state text NOT NULL,
    to_state text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO job_transitions (from_state, to_state) VALUES
    ('queued', 'downloading'), ('queued', 'processing'), ('queued', 'annotating'), ('queued', 'parsing'),
    ('queued', 'failed'), ('queued', 'cancelled'),
    ('downloading', 'queued'), ('downloading', 'failed'), ('downloading', 'cancelled'),
    ('processing', 'queued'), ('processing', 'failed'), ('processing', 'cancelled'),
    ('annotating', 'queued'), ('annotating', 'failed'), ('annotating', 'cancelled'),
    ('parsing', 'queued'), ('parsing', 'completed'), ('parsing', 'failed'), ('parsing', 'cancelled'),
    ('failed', 'queued'), ('cancelled', 'queued');

CREATE TABLE jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    upload_id uuid NOT NULL REFERENCES uploads,
    sample_name text NOT NULL CHECK (sample_name <> ''),
    options jsonb NOT NULL DEFAULT '{}',
    plan text[] NOT NULL CHECK (cardinality(plan) > 0 AND plan <@ ARRAY['download', 'process', 'annotate', 'parse']),
    priority integer NOT NULL DEFAULT 0,     -- higher goes first
    idempotency_key text,

    state text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'downloading', 'processing', 'annotating', 'parsing', 'completed', 'failed', 'cancelled')),
    stage text CHECK (stage = ANY (plan)),   -- the stage it is in or waits for; where it ended, when failed or cancelled
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    max_attempts integer NOT NULL DEFAULT 4 CHECK (max_attempts >= 1),
    run_after timestamptz NOT NULL DEFAULT now(),
    message text NOT NULL DEFAULT '',        -- what happened last, in one sentence
    error jsonb,                             -- of the last failed attempt, until a later one succeeds

    attempt_token uuid,                      -- held by the one claim that may settle
    worker_id uuid REFERENCES workers,
    claimed_at timestamptz,
    progress jsonb,                          -- {"done", "total", "unit", "rate", "eta_seconds"}
    progress_at timestamptz,
    cancel_requested_at timestamptz,

    artefacts jsonb NOT NULL DEFAULT '{}',   -- what each finished stage left: {"download": {"key": ...}}
    warnings jsonb NOT NULL DEFAULT '[]',    -- PROBLEMs of severity warning
    records bigint,
    variants bigint,
    sample_id uuid,

    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    dismissed_at timestamptz,

    CHECK ((attempt_token IS NOT NULL) = (state IN ('downloading', 'processing', 'annotating', 'parsing'))),
    CHECK ((attempt_token IS NULL) = (worker_id IS NULL)),
    CHECK ((finished_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))),
    CHECK (state <> 'failed' OR error IS NOT NULL),
    CHECK ((stage IS NULL) = (state = 'completed')),
    CHECK (state <> 'completed' OR sample_id IS NOT NULL)
);
CREATE UNIQUE INDEX jobs_idempotency_idx ON jobs (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_newest_idx ON jobs (account_id, created_at DESC, id DESC) WHERE dismissed_at IS NULL;
CREATE INDEX jobs_waiting_idx ON jobs (stage, run_after) WHERE state = 'queued';
CREATE INDEX jobs_running_idx ON jobs (worker_id) WHERE attempt_token IS NOT NULL;
CREATE INDEX jobs_upload_idx ON jobs (upload_id);

-- When each account last got a slot of a stage: the claim takes turns between accounts.
CREATE TABLE account_turns (
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    stage text NOT NULL,
    last_claimed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, stage)
);

CREATE TABLE job_events (
    account_id uuid NOT NULL REFERENCES accounts,
    id bigint NOT NULL,                      -- counted within the account, without gaps, in the order of commits
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL,
    stage text,
    attempt integer NOT NULL,
    message text NOT NULL,
    job jsonb NOT NULL,                      -- the job row as it was, so that a replay shows what was true then
    PRIMARY KEY (account_id, id)
);
CREATE INDEX job_events_job_idx ON job_events (job_id, id);

CREATE FUNCTION jobs_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'queued' THEN
            RAISE EXCEPTION 'a job starts queued, not %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
    ELSIF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT 1 FROM job_transitions WHERE from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'a job cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_guard BEFORE INSERT OR UPDATE OF state ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_guard();

-- Every change that a person could see appends its event in the same transaction, so that no caller can forget.
CREATE FUNCTION jobs_append_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.state, NEW.stage, NEW.attempt, NEW.attempt_token, NEW.priority, NEW.sample_name,
            NEW.cancel_requested_at, NEW.dismissed_at) IS NOT DISTINCT FROM (OLD.state, OLD.stage, OLD.attempt,
            OLD.attempt_token, OLD.priority, OLD.sample_name, OLD.cancel_requested_at, OLD.dismissed_at) THEN
        RETURN NULL;
    END IF;
    UPDATE accounts SET last_event_id = last_event_id + 1 WHERE id = NEW.account_id RETURNING last_event_id INTO event_id;
    INSERT INTO job_events (account_id, id, job_id, state, stage, attempt, message, job)
    VALUES (NEW.account_id, event_id, NEW.id, NEW.state, NEW.stage, NEW.attempt, NEW.message, to_jsonb(NEW));
    PERFORM pg_notify('varloom_events', json_build_object(
        'account', NEW.account_id, 'event', event_id, 'job', NEW.id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_append_event AFTER INSERT OR UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_append_event();
