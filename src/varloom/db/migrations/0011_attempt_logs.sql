-- compatible from: 0004
-- What the processes of an attempt said, bounded by the worker; written by whoever settles the attempt, in that
-- transaction. Read through the job alone, whose account it belongs to.
CREATE TABLE attempt_logs (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    attempt_token uuid NOT NULL,
    stage text NOT NULL,
    attempt integer NOT NULL,
    began_at timestamptz NOT NULL,
    text text NOT NULL CHECK (text <> '' AND length(text) <= 131072),
    PRIMARY KEY (job_id, attempt_token)
);
