-- Ask the worker that runs it to stop; asking twice is the same as once.
WITH changed AS (
    UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()), message = %(message)s
    WHERE id = %(job_id)s AND account_id = %(account_id)s AND attempt_token IS NOT NULL
    RETURNING *
)
