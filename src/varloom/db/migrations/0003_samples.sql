-- What a completed job leaves: a sample and its datasets. A dataset is visible only by its row here.
CREATE TABLE samples (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    name text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX samples_account_idx ON samples (account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE datasets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    sample_id uuid NOT NULL REFERENCES samples,
    job_id uuid REFERENCES jobs ON DELETE SET NULL,
    upload_id uuid NOT NULL REFERENCES uploads,
    position integer NOT NULL DEFAULT 0,     -- order within the sample, for a file that was split by sample
    name text NOT NULL,                      -- the sample's name in the file where it was split, else the sample's own
    storage_key text NOT NULL,               -- the folder of manifest.json and the Parquet parts in the storage
    format text NOT NULL,
    assembly text CHECK (assembly IN ('GRCh37', 'GRCh38')),
    records bigint NOT NULL,
    variants bigint NOT NULL,
    bytes bigint NOT NULL,
    content_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX datasets_sample_idx ON datasets (sample_id, position);
CREATE INDEX datasets_job_idx ON datasets (job_id);
CREATE INDEX datasets_upload_idx ON datasets (upload_id);
ALTER TABLE jobs ADD CONSTRAINT jobs_sample_fk FOREIGN KEY (sample_id) REFERENCES samples;
