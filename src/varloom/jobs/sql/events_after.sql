SELECT e.id, e.job_id, e.at, e.state, e.stage, e.attempt, e.message, e.job,
       u.kind AS source_kind, u.name AS source_name, u.url AS source_url, u.bytes AS source_bytes,
       u.sha256 AS source_sha256, u.storage_key AS source_key, further_files_of(u.id) AS source_files
FROM job_events AS e JOIN jobs AS j ON j.id = e.job_id JOIN uploads AS u ON u.id = j.upload_id
WHERE e.account_id = %(account_id)s AND e.id > %(event_id)s
ORDER BY e.id
LIMIT %(limit)s
