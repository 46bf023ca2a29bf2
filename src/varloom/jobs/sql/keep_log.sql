WITH older AS (
    DELETE FROM attempt_logs WHERE (job_id, attempt_token) IN (
        SELECT job_id, attempt_token FROM attempt_logs WHERE job_id = %(job_id)s
        ORDER BY began_at DESC, attempt_token OFFSET %(kept)s - 1)
)
INSERT INTO attempt_logs (job_id, attempt_token, stage, attempt, began_at, text)
SELECT id, %(token)s, stage, attempt, coalesce(claimed_at, now()), %(text)s FROM jobs
WHERE id = %(job_id)s AND attempt_token = %(token)s
ON CONFLICT DO NOTHING
