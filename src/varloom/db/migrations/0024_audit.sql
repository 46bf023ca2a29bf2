-- compatible from: 0004
-- Who did what, when and from where. An entry stands before anything is done; how it went is added after. Neither can be
-- changed or taken away: the database itself refuses.

CREATE TABLE audit_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL CHECK (action <> ''),
    account_id uuid,                         -- who asked; null: nobody was logged in. No reference: entries outlast accounts
    account_name text,                       -- what they were called then
    proof text,                              -- session, token, or what else they came with
    address text,                            -- from where, as the server saw it
    user_agent text,
    request_id text,                         -- the same as in the log and in the answer
    subject_kind text,                       -- sample, job, user, ...
    subject_id text
);
CREATE INDEX audit_entries_account_idx ON audit_entries (account_id, id);
CREATE INDEX audit_entries_at_idx ON audit_entries (at);
CREATE INDEX audit_entries_subject_idx ON audit_entries (subject_id) WHERE subject_id IS NOT NULL;

CREATE TABLE audit_outcomes (
    entry_id bigint PRIMARY KEY REFERENCES audit_entries,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status integer NOT NULL,                 -- of the answer: 2xx and 3xx were done, 4xx were refused, 5xx failed
    details jsonb NOT NULL DEFAULT '{}'
);

CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
CREATE TRIGGER audit_outcomes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
