-- What a stage that reports no progress yet has to know. No row: the claim is lost.
SELECT cancel_requested_at IS NOT NULL AS cancel_requested FROM jobs
WHERE id = %(job_id)s AND attempt_token = %(token)s
