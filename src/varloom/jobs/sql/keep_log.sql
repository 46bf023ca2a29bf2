INSERT INTO attempt_logs (job_id, attempt_token, stage, attempt, began_at, text)
SELECT id, %(token)s, stage, attempt, coalesce(claimed_at, now()), %(text)s FROM jobs
WHERE id = %(job_id)s AND attempt_token = %(token)s
ON CONFLICT DO NOTHING
