-- For each of the account's jobs in line: how many, of anyone, go before it, when claim.sql is asked for one after the
-- other. Only what can go before the account's own first thousand jobs of a stage is numbered: of the others' lines as
-- many turns as its own have, and what has a higher priority is counted.
-- Among jobs of one priority the accounts take turns in one order to the end: that in which they were served last. Those
-- with more urgent jobs will be served until then, and come after the others: first whose last urgent job has the higher
-- priority, then whose comes in the earlier turn, then as it was decided among the more urgent jobs. Those that were
-- never served come first, as their first jobs were created.
-- Jobs that need something of their worker (`needed_for`) have a line for each need, in which those stand that the workers
-- which meet it can take: they alone go before a job. What no living worker can take is in no line.
WITH RECURSIVE stages AS MATERIALIZED (
    SELECT stage.name AS stage, coalesce(
        (SELECT max(plan_version) FROM workers WHERE stopped_at IS NULL AND (slots ->> stage.name)::int > 0), 2147483647
    ) AS plan_version
    FROM unnest(ARRAY['download', 'process', 'annotate', 'parse']) AS stage (name)
    WHERE NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.stage = stage.name OR pauses.account_id = %(account_id)s)
), lines AS MATERIALIZED (
    SELECT stages.stage, stages.plan_version, wanted.need, CASE WHEN stages.stage = 'process' THEN takers.needs END AS needs
    FROM stages CROSS JOIN LATERAL (
        SELECT '' AS need WHERE stages.stage <> 'process'
        UNION
        SELECT needed_for('process', first.options) FROM (
            SELECT options FROM jobs
            WHERE stages.stage = 'process' AND state = 'queued' AND stage = 'process' AND account_id = %(account_id)s
              AND run_after <= now() AND jobs.plan_version <= stages.plan_version
            ORDER BY -priority, created_at, id LIMIT 1000
        ) AS first
    ) AS wanted CROSS JOIN LATERAL (
        SELECT CASE WHEN bool_and(workers.serves IS NOT NULL) THEN
                   array_agg(DISTINCT served.need) FILTER (WHERE wanted.need = ANY (workers.serves)) END AS needs,
               count(*) = 0 OR bool_or(workers.serves IS NULL OR wanted.need = ANY (workers.serves)) AS are_there
        FROM workers LEFT JOIN LATERAL unnest(workers.serves) AS served (need) ON true
        WHERE stages.stage = 'process' AND stopped_at IS NULL AND (slots ->> 'process')::int > 0
    ) AS takers
    WHERE takers.are_there
), own AS MATERIALIZED (
    SELECT lines.stage, lines.need, lines.needs, lines.plan_version, line.priority,
           row_number() OVER (
               PARTITION BY lines.stage, lines.need, line.priority ORDER BY line.created_at, line.id
           ) AS turn
    FROM lines CROSS JOIN LATERAL (
        SELECT id, priority, created_at FROM jobs
        WHERE state = 'queued' AND stage = lines.stage AND account_id = %(account_id)s AND run_after <= now()
          AND jobs.plan_version <= lines.plan_version
          AND (lines.needs IS NULL OR needed_for(stage, options) = ANY (lines.needs))
        ORDER BY -priority, created_at, id LIMIT 1000
    ) AS line
), sought AS MATERIALIZED (
    SELECT stage, need, needs, plan_version, priority, max(turn) AS turns FROM own
    GROUP BY stage, need, needs, plan_version, priority
), accounts_in_line (stage, account_id) AS (
    SELECT stage, (SELECT account_id FROM jobs WHERE state = 'queued' AND jobs.stage = reached.stage
                   ORDER BY account_id LIMIT 1)
    FROM (SELECT DISTINCT stage FROM sought) AS reached
    UNION ALL
    SELECT stage, (SELECT jobs.account_id FROM jobs
                   WHERE state = 'queued' AND jobs.stage = accounts_in_line.stage
                     AND jobs.account_id > accounts_in_line.account_id
                   ORDER BY jobs.account_id LIMIT 1)
    FROM accounts_in_line WHERE accounts_in_line.account_id IS NOT NULL
), rivals AS MATERIALIZED (
    SELECT lines.stage, lines.need, accounts_in_line.account_id, turns.last_claimed_at, head.created_at, head.id
    FROM accounts_in_line JOIN lines ON lines.stage = accounts_in_line.stage
    LEFT JOIN account_turns AS turns
        ON turns.account_id = accounts_in_line.account_id AND turns.stage = accounts_in_line.stage
    CROSS JOIN LATERAL (
        SELECT id, created_at FROM jobs
        WHERE state = 'queued' AND jobs.stage = accounts_in_line.stage AND account_id = accounts_in_line.account_id
          AND run_after <= now() AND jobs.plan_version <= lines.plan_version
          AND (lines.needs IS NULL OR needed_for(stage, options) = ANY (lines.needs))
        ORDER BY -priority, created_at, id LIMIT 1
    ) AS head
    WHERE NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.account_id = accounts_in_line.account_id)
), urgent AS MATERIALIZED (
    SELECT sought.stage, sought.need, sought.priority, rivals.account_id, sum(counted.jobs) AS jobs,
           array_agg(ARRAY[-counted.priority, counted.jobs] ORDER BY counted.priority) AS served_until_then
    FROM sought JOIN rivals ON rivals.stage = sought.stage AND rivals.need = sought.need CROSS JOIN LATERAL (
        SELECT priority, count(*) AS jobs FROM jobs
        WHERE state = 'queued' AND jobs.stage = sought.stage AND account_id = rivals.account_id
          AND -jobs.priority < -sought.priority AND run_after <= now() AND jobs.plan_version <= sought.plan_version
          AND (sought.needs IS NULL OR needed_for(stage, options) = ANY (sought.needs))
        GROUP BY priority
    ) AS counted
    GROUP BY sought.stage, sought.need, sought.priority, rivals.account_id
), more_urgent AS (
    SELECT stage, need, priority, sum(jobs) AS jobs FROM urgent GROUP BY stage, need, priority
), numbered AS (
    SELECT line.id, line.need AS own_need, rivals.account_id, sought.stage, sought.need, sought.priority, row_number() OVER (
        PARTITION BY sought.stage, sought.need, sought.priority
        ORDER BY line.turn, coalesce(urgent.served_until_then, '{}'), rivals.last_claimed_at NULLS FIRST,
            rivals.created_at, rivals.id
    ) AS place
    FROM sought JOIN rivals ON rivals.stage = sought.stage AND rivals.need = sought.need
    LEFT JOIN urgent ON urgent.stage = sought.stage AND urgent.need = sought.need AND urgent.priority = sought.priority
        AND urgent.account_id = rivals.account_id
    CROSS JOIN LATERAL (
        SELECT id, need, row_number() OVER (ORDER BY created_at, id) AS turn
        FROM (
            SELECT id, created_at, needed_for(stage, options) AS need FROM jobs
            WHERE state = 'queued' AND jobs.stage = sought.stage AND account_id = rivals.account_id
              AND -jobs.priority = -sought.priority AND run_after <= now()
              AND jobs.plan_version <= sought.plan_version
              AND (sought.needs IS NULL OR needed_for(stage, options) = ANY (sought.needs))
            ORDER BY created_at, id LIMIT sought.turns
        ) AS first
    ) AS line
)
SELECT numbered.id, coalesce(more_urgent.jobs, 0) + numbered.place - 1 AS ahead
FROM numbered
LEFT JOIN more_urgent ON more_urgent.stage = numbered.stage AND more_urgent.need = numbered.need
    AND more_urgent.priority = numbered.priority
WHERE numbered.account_id = %(account_id)s AND numbered.own_need = numbered.need
