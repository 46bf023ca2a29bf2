WITH changed AS (
    UPDATE jobs SET state = 'failed', attempt_token = NULL, worker_id = NULL, error = %(error)s, message = %(message)s,
        finished_at = now()
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
)
