-- How many waiting jobs of each stage have no ticket in the queue.
SELECT waiting.stage, waiting.jobs - coalesce(tickets.todo, 0) AS missing
FROM (SELECT stage, count(*) AS jobs FROM jobs WHERE state = 'queued' GROUP BY stage) AS waiting
LEFT JOIN (
    SELECT queue_name AS stage, count(*) AS todo FROM procrastinate_jobs WHERE status = 'todo' GROUP BY queue_name
) AS tickets ON tickets.stage = waiting.stage
WHERE waiting.jobs > coalesce(tickets.todo, 0)
