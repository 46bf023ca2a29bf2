-- A job with what a reader wants to know of its upload; the ending of every statement that returns jobs.
SELECT j.*, u.kind AS source_kind, u.name AS source_name, u.url AS source_url, u.bytes AS source_bytes,
       u.sha256 AS source_sha256, u.storage_key AS source_key, further_files_of(u.id) AS source_files
FROM changed AS j JOIN uploads AS u ON u.id = j.upload_id
