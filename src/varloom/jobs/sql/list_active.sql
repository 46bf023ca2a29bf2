-- The account's jobs that wait or run, newest first.
WITH changed AS (
    SELECT jobs.* FROM jobs
    WHERE jobs.account_id = %(account_id)s AND jobs.dismissed_at IS NULL AND jobs.finished_at IS NULL
    ORDER BY jobs.created_at DESC, jobs.id DESC
    LIMIT %(limit)s
)
