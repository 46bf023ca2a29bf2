WITH living AS (
    SELECT slots FROM workers WHERE stopped_at IS NULL AND heartbeat_at > now() - make_interval(secs => %(timeout)s)
)
SELECT stage.name AS stage,
       coalesce((SELECT sum((slots ->> stage.name)::int) FROM living), 0)::int AS slots,
       (SELECT count(*) FROM jobs WHERE attempt_token IS NOT NULL AND jobs.stage = stage.name)::int AS busy,
       (SELECT count(*) FROM jobs WHERE state = 'queued' AND jobs.stage = stage.name AND run_after <= now())::int AS waiting,
       (SELECT count(*) FROM jobs WHERE state = 'queued' AND jobs.stage = stage.name AND run_after > now())::int AS delayed
FROM unnest(ARRAY['download', 'process', 'annotate', 'parse']) AS stage (name)
