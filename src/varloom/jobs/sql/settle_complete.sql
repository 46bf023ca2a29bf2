WITH changed AS (
    UPDATE jobs SET state = 'completed', stage = NULL, attempt_token = NULL, worker_id = NULL, progress = NULL,
        progress_at = NULL, error = NULL, message = %(message)s, finished_at = now(), sample_id = %(sample_id)s,
        records = %(records)s, variants = %(variants)s, suspected_at = NULL,
        artefacts = artefacts || jsonb_build_object(%(stage)s::text, %(artefact)s::jsonb),
        warnings = warnings || %(warnings)s::jsonb
    WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s
    RETURNING *
)
