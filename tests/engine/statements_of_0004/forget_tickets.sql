-- Tickets that were being delivered by a process that is gone. What they began is in the job rows.
DELETE FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL
