-- How many jobs of each stage could begin now and have no ticket that is due. Tickets for later do not count: they may
-- be left over from a retry that was cancelled. What is paused, or known to no worker, or
-- needs what no worker has, would only wear tickets out.
SELECT waiting.stage, waiting.jobs - coalesce(tickets.due, 0) AS missing
FROM (
    SELECT jobs.stage, count(*) AS jobs FROM jobs
    WHERE state = 'queued' AND run_after <= now()
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.stage = jobs.stage)
      AND account_id <> ALL (ARRAY(SELECT pauses.account_id FROM pauses WHERE pauses.account_id IS NOT NULL))
      AND plan_version <= (SELECT coalesce(max(workers.plan_version), 2147483647) FROM workers WHERE stopped_at IS NULL)
      AND (needed_for(jobs.stage, jobs.options) = '' OR EXISTS (
          SELECT 1 FROM workers
          WHERE stopped_at IS NULL AND (serves IS NULL OR needed_for(jobs.stage, jobs.options) = ANY (serves))
      ))
    GROUP BY jobs.stage
) AS waiting
LEFT JOIN (
    SELECT queue_name AS stage, count(*) AS due FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()) GROUP BY queue_name
) AS tickets ON tickets.stage = waiting.stage
WHERE waiting.jobs > coalesce(tickets.due, 0)
