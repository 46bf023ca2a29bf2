WITH changed AS (
    UPDATE jobs SET state = 'cancelled', attempt_token = NULL, worker_id = NULL, progress = NULL, progress_at = NULL,
        message = %(message)s, finished_at = now()
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
)
