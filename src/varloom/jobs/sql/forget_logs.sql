DELETE FROM attempt_logs WHERE (job_id, attempt_token) IN (
    SELECT job_id, attempt_token FROM attempt_logs WHERE job_id = %(job_id)s
    ORDER BY began_at DESC, attempt_token OFFSET %(kept)s
)
