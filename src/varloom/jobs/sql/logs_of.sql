SELECT attempt_logs.stage, attempt_logs.attempt, attempt_logs.began_at, attempt_logs.text
FROM attempt_logs JOIN jobs ON jobs.id = attempt_logs.job_id
WHERE jobs.account_id = %(account_id)s AND jobs.id = %(job_id)s
ORDER BY attempt_logs.began_at, attempt_logs.attempt_token
