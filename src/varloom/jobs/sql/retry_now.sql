-- The attempt to come was counted when the one before failed: only its time changes.
WITH changed AS (
    UPDATE jobs SET run_after = now(), message = %(message)s
    WHERE id = %(job_id)s AND account_id = %(account_id)s AND state = 'queued' AND attempt > 1 AND run_after > now()
    RETURNING *
)
