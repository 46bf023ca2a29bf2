WITH changed AS (
    UPDATE jobs SET priority = %(priority)s, message = %(message)s
    WHERE id = %(job_id)s AND account_id = %(account_id)s AND finished_at IS NULL
    RETURNING *
)
