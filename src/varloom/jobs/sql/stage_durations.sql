-- What the stages of the account's newest completed jobs took.
SELECT tried.value ->> 'stage' AS stage, uploads.name AS source_name, uploads.bytes AS source_bytes,
       (tried.value ->> 'seconds')::float8 AS seconds
FROM (
    SELECT upload_id, attempts FROM jobs
    WHERE account_id = %(account_id)s AND state = 'completed'
    ORDER BY finished_at DESC LIMIT %(limit)s
) AS recent
JOIN uploads ON uploads.id = recent.upload_id
CROSS JOIN LATERAL jsonb_array_elements(recent.attempts) AS tried
WHERE tried.value ->> 'outcome' = 'succeeded' AND uploads.bytes > 0
