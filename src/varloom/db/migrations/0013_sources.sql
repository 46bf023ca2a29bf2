-- compatible from: 0004
-- Files from URLs. `uploads.url` is the URL as it may be shown. What it leaves out, such as the signature of a presigned
-- URL, is here, encrypted with a key that is not in the database. It goes when the file has arrived and is not needed again.
CREATE TABLE upload_secrets (
    upload_id uuid PRIMARY KEY REFERENCES uploads ON DELETE CASCADE,
    secret bytea NOT NULL
);
