-- Before each stage: whether the account's jobs are held back, and the newest plan that somebody there can serve.
SELECT stage.name AS stage,
       EXISTS (SELECT 1 FROM pauses WHERE pauses.stage = stage.name OR pauses.account_id = %(account_id)s) AS paused,
       (SELECT reason FROM pauses WHERE pauses.stage = stage.name OR pauses.account_id = %(account_id)s
        ORDER BY pauses.stage NULLS LAST LIMIT 1) AS reason,
       (SELECT max(plan_version) FROM workers WHERE stopped_at IS NULL AND (slots ->> stage.name)::int > 0) AS plan_version
FROM unnest(ARRAY['download', 'process', 'annotate', 'parse']) AS stage (name)
