-- Take the best waiting job of a stage: lock it, write the attempt token, remember whose turn it was.
-- A worker that was given up for dead gets none: what it took would at once count as a dead worker's work.
WITH best AS MATERIALIZED (
    SELECT id, place FROM waiting_jobs WHERE stage = %(stage)s ORDER BY place LIMIT 64
), locked AS MATERIALIZED (
    SELECT jobs.id FROM jobs JOIN best ON best.id = jobs.id
    WHERE jobs.state = 'queued' AND jobs.stage = %(stage)s AND jobs.run_after <= now()
      AND EXISTS (SELECT 1 FROM workers WHERE workers.id = %(worker_id)s AND workers.stopped_at IS NULL)
    ORDER BY best.place
    FOR UPDATE OF jobs SKIP LOCKED
    LIMIT 1
), changed AS (
    UPDATE jobs SET state = %(state)s, attempt_token = gen_random_uuid(), worker_id = %(worker_id)s, claimed_at = now(),
        started_at = coalesce(started_at, now()), progress = NULL, progress_at = NULL, message = %(message)s
    FROM locked WHERE jobs.id = locked.id
    RETURNING jobs.*
), turn AS (
    INSERT INTO account_turns (account_id, stage, last_claimed_at) SELECT account_id, stage, clock_timestamp() FROM changed
    ON CONFLICT (account_id, stage) DO UPDATE SET last_claimed_at = excluded.last_claimed_at
)
