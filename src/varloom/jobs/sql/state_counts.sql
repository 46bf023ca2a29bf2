SELECT state, cancel_requested_at IS NOT NULL AS is_stopping,
       coalesce((error->>'retryable')::boolean, false) AS may_succeed, count(*) AS jobs
FROM jobs WHERE account_id = %(account_id)s AND dismissed_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
