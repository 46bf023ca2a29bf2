WITH changed AS (
    UPDATE jobs SET state = 'cancelled', cancel_requested_at = now(), message = %(message)s, finished_at = now()
    WHERE id = %(job_id)s AND account_id = %(account_id)s AND state = 'queued'
    RETURNING *
)
