-- compatible from: 0004
-- Who wants to be told when jobs end, and what is still to be sent. A trigger writes it with the job's ending, in one
-- transaction: no way to end a job can forget it, and what is noted outlasts every process. Nobody waits for the sending.

CREATE TABLE notice_channels (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('email', 'webhook')),
    name text NOT NULL CHECK (name <> ''),
    target text NOT NULL CHECK (target <> ''), -- the e-mail address; of a webhook what may be shown of its URL
    secret bytea,                            -- of a webhook: URL and signing keys, encrypted with a key that is not here
    on_completed boolean NOT NULL,
    on_failed boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz,                -- until then nothing is sent
    disabled_at timestamptz,
    disabled_because text,                   -- what people are told
    failures integer NOT NULL DEFAULT 0,     -- in a row
    failing_since timestamptz,
    next_at timestamptz NOT NULL DEFAULT now(),  -- it is not tried before: what failed is left alone for a while
    last_mail_at timestamptz,
    mail_gap integer NOT NULL DEFAULT 0,     -- seconds until the next mail after the last one
    CHECK ((kind = 'webhook') = (secret IS NOT NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL))
);
CREATE INDEX notice_channels_account_idx ON notice_channels (account_id);
CREATE UNIQUE INDEX notice_channels_email_idx ON notice_channels (account_id) WHERE kind = 'email';

-- The links that confirm an address. They are counted, and so kept for a day after they have expired, also when the
-- channel is removed: there is no reference to it.
CREATE TABLE notice_confirmations (
    token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
    channel_id uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    target text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX notice_confirmations_account_idx ON notice_confirmations (account_id);
CREATE INDEX notice_confirmations_target_idx ON notice_confirmations (lower(target));

-- A mail, which may tell of many jobs, or a call of a webhook, which tells of one. Its id is what the receiver sees.
CREATE TABLE notice_deliveries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    channel_id uuid NOT NULL REFERENCES notice_channels ON DELETE CASCADE,
    is_test boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'given_up')),
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    first_tried_at timestamptz,
    claim uuid,                              -- held by the one that may say how it went
    claimed_until timestamptz,               -- afterwards it has died, and another one sends it
    status integer,                          -- of the last answer: of HTTP or SMTP
    problem text,                            -- of the last attempt, as people are told
    ended_at timestamptz,
    CHECK ((ended_at IS NOT NULL) = (state <> 'waiting')),
    CHECK ((claim IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX notice_deliveries_waiting_idx ON notice_deliveries (channel_id, due_at) WHERE state = 'waiting';
CREATE INDEX notice_deliveries_channel_idx ON notice_deliveries (channel_id, created_at DESC);

-- What happened, as it was then: a job that is retried later ends again. Without a delivery it waits for the next mail.
CREATE TABLE notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id uuid NOT NULL REFERENCES notice_channels ON DELETE CASCADE,
    delivery_id uuid REFERENCES notice_deliveries ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event jsonb NOT NULL
);
CREATE INDEX notices_delivery_idx ON notices (delivery_id);
CREATE INDEX notices_gathering_idx ON notices (channel_id, at) WHERE delivery_id IS NULL;

CREATE FUNCTION jobs_notice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    channel record;
    told jsonb;
    delivery uuid;
BEGIN
    FOR channel IN
        SELECT c.id, c.kind FROM notice_channels c JOIN accounts a ON a.id = c.account_id
        WHERE c.account_id = NEW.account_id AND a.deactivated_at IS NULL AND c.disabled_at IS NULL
            AND c.confirmed_at IS NOT NULL
            AND CASE NEW.state WHEN 'completed' THEN c.on_completed ELSE c.on_failed END
        FOR KEY SHARE OF c                   -- whoever removes the channel meanwhile must not fail the job
    LOOP
        told := jsonb_build_object(
            'job_id', NEW.id, 'state', NEW.state, 'sample_name', NEW.sample_name, 'sample_id', NEW.sample_id,
            'records', NEW.records, 'variants', NEW.variants, 'created_at', NEW.created_at,
            'finished_at', NEW.finished_at, 'stage', CASE WHEN NEW.state = 'failed' THEN NEW.stage END,
            'code', CASE WHEN NEW.state = 'failed' THEN NEW.error ->> 'code' END,
            'title', CASE WHEN NEW.state = 'failed' THEN NEW.error ->> 'title' END);
        delivery := NULL;
        IF channel.kind = 'webhook' THEN
            INSERT INTO notice_deliveries (channel_id) VALUES (channel.id) RETURNING id INTO delivery;
        END IF;
        INSERT INTO notices (channel_id, delivery_id, event) VALUES (channel.id, delivery, told);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_notice AFTER UPDATE OF state ON jobs FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.state IN ('completed', 'failed'))
    EXECUTE FUNCTION jobs_notice();
