SELECT id, host, pid, version, slots, stages_at_once, engines, low_disk, started_at,
       extract(epoch FROM clock_timestamp() - heartbeat_at)::float AS silence,
       coalesce((SELECT jsonb_object_agg(running.stage, running.stages) FROM (
           SELECT stage, count(*) AS stages FROM jobs WHERE worker_id = workers.id GROUP BY stage
       ) AS running), '{}') AS busy
FROM workers WHERE stopped_at IS NULL ORDER BY started_at, id
