SELECT id AS job_id, stage, attempt_token AS token, cancel_requested_at IS NOT NULL AS cancel_requested
FROM jobs WHERE worker_id = %(worker_id)s
