-- Workers that have stopped and hold stages still: nobody will settle them any more.
SELECT id FROM workers
WHERE stopped_at IS NOT NULL AND EXISTS (SELECT 1 FROM jobs WHERE jobs.worker_id = workers.id)
ORDER BY stopped_at
