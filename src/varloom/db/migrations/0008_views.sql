-- compatible from: 0004
-- Views of tables that people keep by name, tags of samples, and the time in which a deleted sample can be brought back.

-- A view holds what stands in the address of a table: filters, sort order, columns. It goes with any table.
CREATE TABLE table_views (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    query text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX table_views_name_idx ON table_views (account_id, lower(name));

ALTER TABLE samples
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN purge_at timestamptz;         -- of a deleted sample: its files stay until then; unset: they may go at once
CREATE INDEX samples_tags_idx ON samples USING gin (tags) WHERE deleted_at IS NULL;
CREATE INDEX samples_deleted_idx ON samples (account_id, deleted_at) WHERE deleted_at IS NOT NULL;
