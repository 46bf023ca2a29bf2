-- compatible from: 0004
-- Uploads of several files, such as the two FASTQ files of a lane, and the files that the process stage leaves.

-- The files of an upload beside its first, which is the upload itself. What was sent lies in the upload's own folder of the
-- storage, and goes with it. Of a URL `url` is what may be shown, and `secret` the whole, encrypted, as long as it is needed.
CREATE TABLE upload_files (
    upload_id uuid NOT NULL REFERENCES uploads ON DELETE CASCADE,
    position integer NOT NULL CHECK (position >= 2),
    name text NOT NULL CHECK (name <> ''),   -- as the user's machine called it: shown, never used as a path
    url text,
    secret bytea,
    bytes bigint,
    sha256 text,
    storage_key text,                        -- where the bytes lie in the storage
    PRIMARY KEY (upload_id, position)
);

-- Files that arrive over several requests and become one job together, as soon as the last of them is there.
ALTER TABLE resumable_uploads
    ADD COLUMN set_key text,                 -- the same for all files of a set, made up by the sender
    ADD COLUMN position integer NOT NULL DEFAULT 1 CHECK (position >= 1),
    ADD COLUMN files integer NOT NULL DEFAULT 1 CHECK (files >= position);
CREATE UNIQUE INDEX resumable_uploads_set_idx ON resumable_uploads (account_id, set_key, position)
    WHERE set_key IS NOT NULL;

-- What the process stage left for a sample: the alignment, the VCF, reports. They lie in the folder of the attempt.
CREATE TABLE sample_files (
    sample_id uuid NOT NULL REFERENCES samples ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    role text NOT NULL CHECK (role <> ''),   -- such as alignment, alignment_index, variants, quality, pgx
    storage_key text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text,
    PRIMARY KEY (sample_id, name)
);

CREATE FUNCTION further_files_of(uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('position', position, 'name', name, 'url', url, 'bytes', bytes,
        'sha256', sha256, 'key', storage_key) ORDER BY position), '[]')
    FROM upload_files WHERE upload_id = $1
$$;
