-- A stopping worker returns what it had begun; the attempt does not count.
WITH changed AS (
    UPDATE jobs SET state = 'queued', run_after = now(), attempt_token = NULL, worker_id = NULL, progress = NULL,
        progress_at = NULL, message = %(message)s
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
)
