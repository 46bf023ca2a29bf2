WITH changed AS (
    UPDATE jobs SET state = 'queued', stage = %(next_stage)s, attempt = 1, run_after = now(), attempt_token = NULL,
        worker_id = NULL, progress = NULL, progress_at = NULL, error = NULL, message = %(message)s, suspected_at = NULL,
        artefacts = artefacts || jsonb_build_object(%(stage)s::text, %(artefact)s::jsonb),
        warnings = warnings || %(warnings)s::jsonb
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
), ticket AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    SELECT stage, %(ticket)s, jsonb_build_object('stage', stage) FROM changed
)
