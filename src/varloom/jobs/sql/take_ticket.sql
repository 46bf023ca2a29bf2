-- A slot that has just become free receives the next ticket of its stage by itself, and for good.
DELETE FROM procrastinate_jobs WHERE id = (
    SELECT id FROM procrastinate_jobs
    WHERE status = 'todo' AND queue_name = %(stage)s AND (scheduled_at IS NULL OR scheduled_at <= now())
    ORDER BY id LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id
