WITH changed AS (
    UPDATE jobs SET state = 'queued', attempt = attempt + 1, run_after = now() + make_interval(secs => %(delay)s),
        attempt_token = NULL, worker_id = NULL, progress = NULL, progress_at = NULL, error = %(error)s, message = %(message)s
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
)
