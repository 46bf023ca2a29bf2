DELETE FROM workers WHERE stopped_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.worker_id = workers.id)
