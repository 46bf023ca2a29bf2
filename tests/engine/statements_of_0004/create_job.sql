WITH changed AS (
    INSERT INTO jobs (account_id, upload_id, sample_name, options, plan, stage, priority, idempotency_key, max_attempts, message)
    VALUES (%(account_id)s, %(upload_id)s, %(sample_name)s, %(options)s, %(plan)s, %(stage)s, %(priority)s,
            %(idempotency_key)s, %(max_attempts)s, %(message)s)
    RETURNING *
)
