-- compatible from: 0004
-- Who somebody is at a provider of log-ins, and the log-ins that were begun there and have not come back yet.

CREATE TABLE identities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    issuer text NOT NULL CHECK (issuer <> ''),     -- the provider, as it calls itself
    subject text NOT NULL CHECK (subject <> ''),   -- the person, as the provider calls them, and nobody else ever
    label text,                                    -- what people know it by: an e-mail address or a name; proves nothing
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_account_idx ON identities (account_id);

CREATE TABLE openid_logins (
    secret_sha256 bytea PRIMARY KEY CHECK (octet_length(secret_sha256) = 32),  -- of what the browser holds that began it
    account_id uuid REFERENCES accounts ON DELETE CASCADE,                     -- who wants an identity connected; null: to log in
    next text NOT NULL,                                                        -- the page that was asked for
    expires_at timestamptz NOT NULL
);

-- Who comes by a reverse proxy has no session to tell when they were seen last.
ALTER TABLE accounts ADD COLUMN seen_by_proxy_at timestamptz;
