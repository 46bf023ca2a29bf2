-- compatible from: 0004
-- Files that arrive over several requests. The row says how many of their bytes are durable; they lie on the disk of the
-- server that takes them in, in a file that is named by the id, until the whole becomes an upload with a job.
CREATE TABLE resumable_uploads (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),   -- as the user's machine called it: shown, never used as a path
    bytes bigint NOT NULL CHECK (bytes > 0),
    durable bigint NOT NULL DEFAULT 0 CHECK (durable BETWEEN 0 AND bytes),
    sample_name text NOT NULL,
    options jsonb NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    idempotency_key text,
    sha256 text,                             -- of the whole, once all bytes are durable
    preflight jsonb,                         -- what the beginning of the file told
    error jsonb,                             -- why the rest is not wanted
    job_id uuid REFERENCES jobs ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX resumable_uploads_idempotency_idx ON resumable_uploads (account_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX resumable_uploads_account_idx ON resumable_uploads (account_id, created_at DESC);
CREATE INDEX resumable_uploads_expiry_idx ON resumable_uploads (expires_at);
