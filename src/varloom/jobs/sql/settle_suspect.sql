-- One of several stages that a worker died with: the attempt does not count, since any of them may be the cause.
WITH changed AS (
    UPDATE jobs SET state = 'queued', run_after = now(), attempt_token = NULL, worker_id = NULL, progress = NULL,
        progress_at = NULL, error = %(error)s, message = %(message)s, suspected_at = now()
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
)
