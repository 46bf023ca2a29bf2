-- Stages held by workers that have stopped: nobody will settle them any more.
SELECT jobs.id AS job_id, jobs.stage, jobs.attempt_token FROM jobs JOIN workers ON workers.id = jobs.worker_id
WHERE jobs.attempt_token IS NOT NULL AND workers.stopped_at IS NOT NULL
