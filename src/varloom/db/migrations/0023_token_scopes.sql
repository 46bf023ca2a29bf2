-- compatible from: 0004
-- What an API token may do, and how long. Tokens of before do all that their account may, as they did.

ALTER TABLE api_tokens
    ADD COLUMN scope text NOT NULL DEFAULT 'full' CHECK (scope IN ('read', 'submit', 'full')),
    ADD COLUMN expires_at timestamptz;       -- null: it holds until it is revoked
