-- compatible from: 0004
-- How much an account may store by itself, instead of what the server's setting says; with `own_quota` and no number it
-- has no limit.
ALTER TABLE accounts
    ADD COLUMN own_quota boolean NOT NULL DEFAULT false,
    ADD COLUMN quota_bytes bigint CHECK (quota_bytes > 0),
    ADD CHECK (own_quota OR quota_bytes IS NULL);
