SELECT queue_name AS stage, count(*) AS due FROM procrastinate_jobs
WHERE status = 'todo' AND queue_name = ANY (%(stages)s) AND (scheduled_at IS NULL OR scheduled_at <= now())
GROUP BY queue_name
