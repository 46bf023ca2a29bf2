-- The latest progress of a claimed job. No row: the claim is lost. A row: whether the user asked to cancel.
WITH written AS (
    UPDATE jobs SET progress = %(progress)s, progress_at = now()
    WHERE id = %(job_id)s AND attempt_token = %(token)s
    RETURNING id, account_id, cancel_requested_at
)
SELECT cancel_requested_at IS NOT NULL AS cancel_requested,
       pg_notify('varloom_progress', json_build_object('account', account_id, 'job', id)::text)
FROM written
