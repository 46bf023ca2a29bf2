SELECT state, stage, count(*) AS jobs,
       coalesce(extract(epoch FROM now() - min(CASE WHEN state = 'queued' AND run_after <= now() THEN run_after END)), 0)
           ::double precision AS oldest_wait
FROM jobs WHERE finished_at IS NULL GROUP BY state, stage ORDER BY state, stage
