-- compatible from: 0004
-- Many files that were submitted at once. What became of each line is kept, so that the same request, sent again under its
-- key, finds the jobs of the first instead of making them a second time.
CREATE TABLE manifests (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    idempotency_key text,
    fingerprint text NOT NULL,               -- of the lines as they may be shown: what the key stands for
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX manifests_idempotency_idx ON manifests (account_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE manifest_lines (
    manifest_id uuid NOT NULL REFERENCES manifests ON DELETE CASCADE,
    line integer NOT NULL,                   -- of the manifest, as an editor counts them
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, line)
);
CREATE INDEX manifest_lines_job_idx ON manifest_lines (job_id);

-- Thousands of jobs of one transaction would each take a number of their own, and each of these updates would pass all
-- row versions that the ones before left: 10,000 took more than twenty seconds. Whoever creates many jobs with one
-- statement says so for the transaction, and appends their events with one statement (jobs/sql/first_events.sql).
DROP TRIGGER jobs_append_first_event ON jobs;

CREATE CONSTRAINT TRIGGER jobs_append_first_event AFTER INSERT ON jobs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (current_setting('varloom.events_at_once', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION jobs_append_event();
