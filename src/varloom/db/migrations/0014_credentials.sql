-- compatible from: 0004
-- What proves who asks a source, by name within the account, for the URLs of one scope alone. The secret is encrypted with a
-- key that is not in the database.
CREATE TABLE credentials (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL CHECK (kind IN ('s3', 'gcs', 'azure_key', 'azure_sas', 'bearer')),
    scope text NOT NULL,                     -- such as s3://bucket, az://account/container or https://host:port
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX credentials_name_idx ON credentials (account_id, lower(name));
