WITH changed AS (
    INSERT INTO jobs (account_id, upload_id, sample_name, options, plan, plan_version, stage, priority, idempotency_key,
        max_attempts, message, renews_sample_id)
    VALUES (%(account_id)s, %(upload_id)s, %(sample_name)s, %(options)s, %(plan)s, %(plan_version)s, %(stage)s,
        %(priority)s, %(idempotency_key)s, %(max_attempts)s, %(message)s, %(renews_sample_id)s)
    RETURNING *
)
