-- The attempt to come was counted when the one before failed: only its time changes. Who has waited for another request to
-- do the same goes by the clock of this moment, not by that of the beginning of its transaction, and changes nothing.
WITH changed AS (
    UPDATE jobs SET run_after = now(), message = %(message)s
    WHERE id = %(job_id)s AND account_id = %(account_id)s AND state = 'queued' AND attempt > 1 AND run_after > clock_timestamp()
    RETURNING *
)
