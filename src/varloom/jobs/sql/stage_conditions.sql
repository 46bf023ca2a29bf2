-- Before each stage: whether the account's jobs are held back, the newest plan that somebody there can serve, and the needs
-- that somebody there meets (null: any); and whether all of them have too little space on their disks.
SELECT stage.name AS stage,
       EXISTS (SELECT 1 FROM pauses WHERE pauses.stage = stage.name OR pauses.account_id = %(account_id)s) AS paused,
       (SELECT reason FROM pauses WHERE pauses.stage = stage.name OR pauses.account_id = %(account_id)s
        ORDER BY pauses.stage NULLS LAST LIMIT 1) AS reason,
       (SELECT max(plan_version) FROM workers WHERE stopped_at IS NULL AND (slots ->> stage.name)::int > 0) AS plan_version,
       (SELECT coalesce(bool_and(low_disk IS NOT NULL), false)
        FROM workers WHERE stopped_at IS NULL AND (slots ->> stage.name)::int > 0) AS disk_low,
       (SELECT CASE WHEN bool_and(workers.serves IS NOT NULL) THEN array_agg(DISTINCT served.need) END
        FROM workers LEFT JOIN LATERAL unnest(workers.serves) AS served (need) ON true
        WHERE stopped_at IS NULL AND (slots ->> stage.name)::int > 0) AS serves
FROM unnest(ARRAY['download', 'process', 'annotate', 'parse']) AS stage (name)
