-- How many jobs of each stage could begin now and have no ticket that is due. Tickets for later do not count: they may
-- be left over from a retry that was cancelled.
SELECT waiting.stage, waiting.jobs - coalesce(tickets.due, 0) AS missing
FROM (
    SELECT stage, count(*) AS jobs FROM jobs WHERE state = 'queued' AND run_after <= now() GROUP BY stage
) AS waiting
LEFT JOIN (
    SELECT queue_name AS stage, count(*) AS due FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()) GROUP BY queue_name
) AS tickets ON tickets.stage = waiting.stage
WHERE waiting.jobs > coalesce(tickets.due, 0)
