-- compatible from: 0004
-- Several people on one server: passwords, sessions that can be told apart, and what wrong passwords were tried.

ALTER TABLE accounts
    ADD COLUMN email text CHECK (email <> ''),
    ADD COLUMN password_hash text CHECK (password_hash LIKE '$argon2id$%'),  -- in Argon2's own notation; null: none was set
    ADD COLUMN password_set_at timestamptz;

ALTER TABLE sessions
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,  -- by which it is named; its secret is not known here
    ADD COLUMN opened_by text NOT NULL DEFAULT 'link' CHECK (opened_by <> ''),  -- link, password, ...
    ADD COLUMN address text,                                       -- of the client, as the server saw it at the login
    ADD COLUMN user_agent text;

-- One row for each try that did not succeed, noted before the password is looked at: many at once count as many.
CREATE TABLE failed_logins (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name_sha256 bytea NOT NULL CHECK (octet_length(name_sha256) = 32),  -- people type passwords where the name belongs
    address text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX failed_logins_address_idx ON failed_logins (address, at);
CREATE INDEX failed_logins_name_idx ON failed_logins (name_sha256, at);
