WITH living AS (
    SELECT slots FROM workers WHERE stopped_at IS NULL AND heartbeat_at > now() - make_interval(secs => %(timeout)s)
), queued AS (
    SELECT stage, count(*) FILTER (WHERE run_after <= now()) AS waiting, count(*) FILTER (WHERE run_after > now()) AS delayed
    FROM jobs WHERE state = 'queued' GROUP BY stage
)
SELECT stage.name AS stage,
       coalesce((SELECT sum((slots ->> stage.name)::int) FROM living), 0)::int AS slots,
       (SELECT count(*) FROM jobs WHERE worker_id IS NOT NULL AND jobs.stage = stage.name)::int AS busy,
       coalesce(queued.waiting, 0)::int AS waiting,
       coalesce(queued.delayed, 0)::int AS delayed
FROM unnest(ARRAY['download', 'process', 'annotate', 'parse']) AS stage (name)
LEFT JOIN queued ON queued.stage = stage.name
