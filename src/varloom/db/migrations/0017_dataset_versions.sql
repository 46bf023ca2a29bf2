-- compatible from: 0004
-- Versions of a sample's tables: what annotating it again makes stands beside what was there before.

ALTER TABLE datasets
    ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version >= 1),  -- within the sample; the highest is shown first
    ADD COLUMN annotation jsonb,             -- {"kind": "small", "releases": {"variants clinvar": "2026-11-15"}}
    ADD COLUMN changes jsonb;                -- against the version before: see `DatasetChanges`; null: not known
UPDATE datasets SET annotation = jsonb_build_object(
    'kind', jobs.options ->> 'annotate',
    'releases', (SELECT coalesce(jsonb_object_agg((used ->> 0) || ' ' || (used ->> 1), used ->> 3), '{}')
                 FROM jsonb_array_elements(jobs.artefacts -> 'annotate' -> 'releases') AS used))
FROM jobs WHERE jobs.id = datasets.job_id AND jobs.artefacts ? 'annotate' AND jobs.options ->> 'annotate' IS NOT NULL;
-- No version can be there by half, or twice.
CREATE UNIQUE INDEX datasets_version_idx ON datasets (sample_id, version, position);

-- A job with one makes a new version of that sample's tables instead of a sample. A worker or server that does not know
-- this has to leave the job alone, so its plan is of a version that such a one does not know.
ALTER TABLE jobs ADD COLUMN renews_sample_id uuid REFERENCES samples;
ALTER TABLE jobs ADD CONSTRAINT jobs_renewal_known CHECK (renews_sample_id IS NULL OR plan_version >= 4);
-- One at a time, so that no version is made on the way past another.
CREATE UNIQUE INDEX jobs_renewal_idx ON jobs (renews_sample_id)
    WHERE renews_sample_id IS NOT NULL AND finished_at IS NULL;
