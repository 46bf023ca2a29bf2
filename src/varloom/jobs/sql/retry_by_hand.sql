WITH changed AS (
    UPDATE jobs SET state = 'queued', stage = %(stage)s, attempt = 1, run_after = now(), error = NULL, finished_at = NULL,
        cancel_requested_at = NULL, progress = NULL, progress_at = NULL, message = %(message)s, options = %(options)s,
        plan = %(plan)s, plan_version = coalesce(%(plan_version)s, plan_version), artefacts = %(artefacts)s,
        warnings = %(warnings)s, dismissed_at = NULL
    WHERE id = %(job_id)s AND account_id = %(account_id)s AND state IN ('failed', 'cancelled')
    RETURNING *
)
