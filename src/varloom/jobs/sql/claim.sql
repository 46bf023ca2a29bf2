-- Take the best waiting job of a stage: lock it, write the attempt token, remember whose turn it was. The order is by
-- priority, then in turns between the accounts (the one that was served longest ago first), then the oldest first.
-- Only the heads of the accounts' lines are looked at, by jobs_line_idx, so that a long queue costs nothing. Several of
-- each, because other workers may hold the first ones locked.
-- One ticket of the stage goes, also when nothing can be claimed: it has been looked for. Those that others take at the
-- same moment are passed over; one too many is taken by a later claim, one too few is missed by nobody.
-- The time is that of the statement: the transaction may have begun with the settling of a stage before.
-- `serves` are the needs that the worker meets: what needs an engine that it lacks is left to others.
-- A worker that was given up for dead gets none: what it took would at once count as a dead worker's work.
WITH RECURSIVE accounts_in_line (account_id) AS (
    (SELECT account_id FROM jobs WHERE state = 'queued' AND stage = %(stage)s ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT jobs.account_id FROM jobs
            WHERE state = 'queued' AND stage = %(stage)s AND jobs.account_id > accounts_in_line.account_id
            ORDER BY jobs.account_id LIMIT 1)
    FROM accounts_in_line WHERE accounts_in_line.account_id IS NOT NULL
), heads AS MATERIALIZED (
    SELECT accounts_in_line.account_id, turns.last_claimed_at
    FROM accounts_in_line
    LEFT JOIN account_turns AS turns ON turns.account_id = accounts_in_line.account_id AND turns.stage = %(stage)s
    CROSS JOIN LATERAL (
        SELECT id, priority, created_at FROM jobs
        WHERE state = 'queued' AND stage = %(stage)s AND account_id = accounts_in_line.account_id
          AND run_after <= statement_timestamp() AND plan_version <= %(plan_version)s
          AND (%(suspects)s OR suspected_at IS NULL)
          AND (%(serves)s::text[] IS NULL OR needed_for(stage, options) = ANY (%(serves)s::text[]))
        ORDER BY -priority, created_at, id LIMIT 1
    ) AS head
    WHERE NOT EXISTS (
        SELECT 1 FROM pauses WHERE pauses.stage = %(stage)s OR pauses.account_id = accounts_in_line.account_id
    )
    ORDER BY head.priority DESC, turns.last_claimed_at NULLS FIRST, head.created_at, head.id
    LIMIT 16
), best AS MATERIALIZED (
    SELECT line.id, row_number() OVER (
        ORDER BY line.priority DESC, line.turn, heads.last_claimed_at NULLS FIRST, line.created_at, line.id
    ) AS place
    FROM heads CROSS JOIN LATERAL (
        SELECT id, priority, created_at, row_number() OVER (PARTITION BY -priority ORDER BY created_at, id) AS turn
        FROM (
            SELECT id, priority, created_at FROM jobs
            WHERE state = 'queued' AND stage = %(stage)s AND account_id = heads.account_id
              AND run_after <= statement_timestamp() AND plan_version <= %(plan_version)s
              AND (%(suspects)s OR suspected_at IS NULL)
              AND (%(serves)s::text[] IS NULL OR needed_for(stage, options) = ANY (%(serves)s::text[]))
            ORDER BY -priority, created_at, id LIMIT 16
        ) AS first
    ) AS line
    ORDER BY place LIMIT 64
), locked AS MATERIALIZED (
    SELECT jobs.id FROM jobs JOIN best ON best.id = jobs.id  -- looked at anew: whoever held it locked may have taken it
    WHERE num_nulls(jobs.attempt_token, jobs.finished_at) = 2  -- queued, said so that only the primary key can serve
      AND jobs.stage = %(stage)s AND jobs.run_after <= statement_timestamp()
      AND jobs.plan_version <= %(plan_version)s AND (%(suspects)s OR jobs.suspected_at IS NULL)
      AND (%(serves)s::text[] IS NULL OR needed_for(jobs.stage, jobs.options) = ANY (%(serves)s::text[]))
      AND EXISTS (SELECT 1 FROM workers WHERE workers.id = %(worker_id)s AND workers.stopped_at IS NULL)
    ORDER BY best.place
    FOR UPDATE OF jobs SKIP LOCKED
    LIMIT 1
), claimed AS (
    UPDATE jobs SET state = %(state)s, attempt_token = gen_random_uuid(), worker_id = %(worker_id)s,
        claimed_at = statement_timestamp(), started_at = coalesce(started_at, statement_timestamp()), progress = NULL,
        progress_at = NULL, message = %(message)s
    FROM locked WHERE jobs.id = locked.id
    RETURNING jobs.*
), turn AS (
    INSERT INTO account_turns (account_id, stage, last_claimed_at) SELECT account_id, stage, clock_timestamp() FROM claimed
    ON CONFLICT (account_id, stage) DO UPDATE SET last_claimed_at = excluded.last_claimed_at
    RETURNING account_id
), in_order AS MATERIALIZED (  -- at the commit the events lock both accounts; all who lock several do so in one order
    SELECT accounts.id FROM accounts
    WHERE %(after)s::uuid <> (SELECT account_id FROM turn) AND accounts.id IN (%(after)s::uuid, (SELECT account_id FROM turn))
    ORDER BY accounts.id
    FOR NO KEY UPDATE
), ticket AS (
    DELETE FROM procrastinate_jobs WHERE id = (
        SELECT id FROM procrastinate_jobs
        WHERE status = 'todo' AND queue_name = %(stage)s
          AND (scheduled_at IS NULL OR scheduled_at <= statement_timestamp())
        ORDER BY id LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
), changed AS (
    SELECT claimed.* FROM claimed WHERE (SELECT count(*) FROM in_order) >= 0  -- for its locks
)
